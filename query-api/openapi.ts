import { z } from 'zod';
import { readRoutes } from '../schemas/http-reads.ts';
import { problem, writeRoutes } from '../schemas/http.ts';
import { serversRoute } from '../schemas/servers.ts';

type Json = Readonly<Record<string, unknown>>;

/** Schemas with a name: described once, and named wherever they stand. */
type Components = Record<string, unknown>;

const jsonSchema = z.looseObject({
  $defs: z.record(z.string(), z.unknown()).optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  required: z.array(z.string()).optional(),
});

interface Described {
  jsonSchema: z.core.JSONSchema.BaseSchema;
}

/** What comes in is described as a client writes it. */
const asGiven = ({ jsonSchema: json }: Described): void => {
  // A number in a query: the pattern is of its digits.
  if (json.type === 'integer') delete json.pattern;
};

/** What goes out may have more fields in a later version; a client passes over them. */
const asAnswered = ({ jsonSchema: json }: Described): void => {
  delete json.additionalProperties;
  delete json.readOnly;
};

const atComponents = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(atComponents);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === '$ref' && typeof inner === 'string'
        ? inner.replace('#/$defs/', '#/components/schemas/')
        : atComponents(inner),
    ]),
  );
};

const describe = (schema: z.ZodType, io: 'input' | 'output', components: Components) => {
  const override = io === 'input' ? asGiven : asAnswered;
  const { $schema, $defs, id, ...json } = jsonSchema.parse(z.toJSONSchema(schema, { io, override }));
  for (const [name, { id: named, ...definition }] of Object.entries($defs ?? {}) as [string, Json][]) {
    components[name] = atComponents(definition);
  }
  if (typeof id !== 'string') return { ...json, ...z.record(z.string(), z.unknown()).parse(atComponents(json)) };
  components[id] = atComponents(json);
  return { $ref: `#/components/schemas/${id}` };
};

const parametersIn = (where: 'path' | 'query', schema: z.ZodObject, components: Components): Json[] => {
  const { properties = {}, required = [] } = jsonSchema.parse(describe(schema, 'input', components));
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema: property,
  }));
};

const contentOf = (schema: Json): Json => ({ 'application/json': { schema } });
const problemResponse = { $ref: '#/components/responses/Problem' };
const responses = (answer: z.ZodType, components: Components): Json => ({
  200: { description: 'Done', content: contentOf(describe(answer, 'output', components)) },
  default: problemResponse,
});

/** `:name` of the routes is `{name}` of the document. */
const templated = (path: string): string => path.replaceAll(/:([A-Za-z]+)/g, '{$1}');

export const openApiPath = '/v1/openapi.json';

/** OpenAPI 3.1 of every route, made from the schemas that check the calls. */
export const openApiDocument = (): Json => {
  const schemas: Components = {};
  const paths: Record<string, Record<string, Json>> = {
    [openApiPath]: {
      get: {
        operationId: 'openApi',
        tags: ['reads'],
        summary: 'This document',
        security: [],
        responses: { 200: { description: 'Done', content: contentOf({ type: 'object' }) } },
      },
    },
  };
  const put = (path: string, method: string, operation: Json): void => {
    paths[templated(path)] = { ...paths[templated(path)], [method.toLowerCase()]: operation };
  };

  for (const [operationId, route] of Object.entries(readRoutes)) {
    put(route.path, 'get', {
      operationId,
      tags: ['reads'],
      summary: route.summary,
      parameters: [
        ...parametersIn('path', route.params, schemas),
        ...parametersIn('query', route.query, schemas),
        { $ref: '#/components/parameters/ReadAfter' },
      ],
      responses: responses(route.answer, schemas),
    });
  }
  put(serversRoute.path, 'get', {
    operationId: 'servers',
    tags: ['reads'],
    summary: serversRoute.summary,
    parameters: parametersIn('query', serversRoute.query, schemas),
    responses: responses(serversRoute.answer, schemas),
  });
  for (const { method, path, command, call, answer } of writeRoutes) {
    const { params, query, body } = call.shape;
    put(path, method, {
      operationId: command,
      tags: ['commands'],
      summary: `The command ${command}, as over the socket`,
      parameters: [...parametersIn('path', params, schemas), ...parametersIn('query', query, schemas)],
      ...(method !== 'DELETE' && {
        requestBody: { required: true, content: contentOf(describe(body, 'input', schemas)) },
      }),
      responses: responses(answer, schemas),
    });
  }

  return {
    openapi: '3.1.0',
    info: {
      title: 'Parley',
      version: '1',
      summary: 'Chats over an event log: every command, and what people read',
      description: 'docs/protocol.md says what a schema cannot: order, resending, rights, errors.',
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      schemas,
      parameters: {
        ReadAfter: {
          name: 'Parley-Read-After',
          in: 'header',
          required: false,
          description: 'The `readAfter` of a write that the answer must contain.',
          schema: { type: 'string' },
        },
      },
      responses: {
        Problem: {
          description: 'Refused, as a problem document (RFC 9457)',
          content: { 'application/problem+json': { schema: describe(problem, 'output', schemas) } },
        },
      },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
};

/** As it is served and as it stands in docs/. */
export const openApiText = (): string => `${JSON.stringify(openApiDocument(), null, 2)}\n`;
