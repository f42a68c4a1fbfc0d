/** A frame that is encoded when somebody gets it, once for all who do. */
export class LazyFrame {
  readonly #encode: () => Buffer;
  #bytes: Buffer | undefined;

  constructor(encode: () => Buffer) {
    this.#encode = encode;
  }

  get bytes(): Buffer {
    return (this.#bytes ??= this.#encode());
  }
}
