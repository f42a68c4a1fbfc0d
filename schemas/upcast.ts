/** Makes an event's fields of one version into those of the next. Pure, and never changed once released. */
export type Upcast = (fields: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>;

/** `type@version` → the step to the version after it. */
export type Upcasts = ReadonlyMap<string, Upcast>;

/** Every step from a version that was ever written. */
export const upcasts: Upcasts = new Map();

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
