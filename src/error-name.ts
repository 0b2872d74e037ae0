// What may be told of any error: messages of foreign errors may hold personal data or secrets, names and codes do not.

/** Its name and, where it has one, its code: `LogUnavailable`, `Error ECONNREFUSED`. */
export const errorName = (error: unknown): string =>
  error instanceof Error ? [error.name, 'code' in error ? String(error.code) : ''].filter((part) => part !== '').join(' ') : 'unknown'
