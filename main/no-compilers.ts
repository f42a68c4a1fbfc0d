const refuse = () => (): never => {
  throw new Error('a route declares no schema of the framework');
};

/**
 * For every server of ours: what comes in is checked by schemas of our own and what goes out is made by us, so the
 * framework's compilers need not be loaded, which takes longer than everything else it does at a start.
 */
export const noCompilers = { compilersFactory: { buildValidator: refuse, buildSerializer: refuse } } as const;
