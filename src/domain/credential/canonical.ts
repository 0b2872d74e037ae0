// Compares parts of a manifest: the order of keys means nothing.

/** Text of a value that does not depend on the order of its keys. */
export const canonical = (value: unknown): string => JSON.stringify(value, (_key, part: unknown) =>
  typeof part === 'object' && part !== null && !Array.isArray(part) ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1)) : part) ?? ''
