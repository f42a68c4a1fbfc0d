/** Makes an event's fields of one version into those of the next. Pure, and never changed once released. */
export type Upcast = (fields: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;

/** `type@version` → the step to the version after it. */
export type Upcasts = ReadonlyMap<string, Upcast>;

/** Where an event's first version kept no id of a command: an id of 1970, which no client makes. */
const noCommandId = '00000000-0000-7000-8000-000000000000';

/** Every step from a version that was ever written. */
export const upcasts: Upcasts = new Map<string, Upcast>([
  ['sessions-ended@1', (fields) => ({ ...fields, commandId: noCommandId })],
  ['epoch-started@1', (fields) => ({ ...fields, pairs: [] })],
]);

/** An old event in its newest version; undefined if a step is missing. */
export const upcast = (
  steps: Upcasts,
  type: string,
  versions: { readonly from: number; readonly to: number },
  fields: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> | undefined => {
  let current = fields;
  for (let version = versions.from; version < versions.to; version++) {
    const step = steps.get(`${type}@${version}`);
    if (step === undefined) return undefined;
    current = step(current);
  }
  return current;
};
