import { join } from 'node:path';

/** Where a server keeps its keys in its data directory. */
export const accountsFile = (data: string): string => join(data, 'accounts.sqlite');
