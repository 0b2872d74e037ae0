// Where an account is asked about.

export const ACCOUNTS = '/api/v1/admin/users'

export const accountPath = (user: string, ...parts: string[]): string => [ACCOUNTS, ...[user, ...parts].map(encodeURIComponent)].join('/')
