import {
  type Metadata,
  ServerCredentials,
  type ServerInterceptor,
  ServerInterceptingCall,
  status,
} from '@grpc/grpc-js';
import { CallError } from './call-error.ts';
import type { Certificate } from './self-signed.ts';

/** Of a server with TLS and passwords. */
export interface Security extends Certificate {
  readonly user: string;
  readonly password: string;
}

export const serverCredentials = (security: Security | undefined): ServerCredentials =>
  security
    ? ServerCredentials.createSsl(null, [
        { private_key: Buffer.from(security.key), cert_chain: Buffer.from(security.cert) },
      ])
    : ServerCredentials.createInsecure();

export const isAnonymous = (metadata: Metadata): boolean => metadata.get('authorization').length === 0;

/** Whoever gives a wrong password is sent away with 16, whoever gives none with 7. */
export const authentication =
  ({ user, password }: Security): ServerInterceptor =>
  ({ path }, call) => {
    const refused = (metadata: Metadata): CallError | undefined => {
      const [given] = metadata.get('authorization');
      if (given === `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`) return undefined;
      if (given !== undefined) return new CallError(status.UNAUTHENTICATED, 'Unauthenticated');
      const isOpen = /\/(GetSupportedMethods|BatchAppend)$/.test(path);
      return isOpen
        ? undefined
        : new CallError(status.PERMISSION_DENIED, 'Access Denied', { exception: 'access-denied' });
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            const error = refused(metadata);
            if (error) call.sendStatus(error);
            else proceed(metadata);
          },
        }),
    });
  };
