import { writeFileSync } from 'node:fs';
import { openApiText } from './openapi.ts';

/** `npm run openapi`: brings docs/openapi.json up to date; a test says when it is not. */
writeFileSync(new URL('../docs/openapi.json', import.meta.url), openApiText());
