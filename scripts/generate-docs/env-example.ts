// .env.example: every setting of the service, commented out at its default.
import { settingsSchema } from '../../src/config-schema.ts'
import type { Schema } from './schema.ts'

export const envExample = (): string => [
  '# Generated from src/config-schema.ts by npm run docs: edit that, not this.',
  '# Copy to .env, remove the # in front of what you set. The environment holds over this file.',
  ...Object.entries<Schema & { examples?: readonly string[] }>(settingsSchema.properties).map(([name, { description = '', default: value, examples }]) =>
    `\n# ${description}\n#${name}=${quoted(String((value ?? examples?.[0] ?? '') as string | number))}`),
  ''
].join('\n')

/** Node's parser of .env files ends an unquoted value at a #. */
const quoted = (value: string): string => /[\s#<>"]/.test(value) ? `'${value}'` : value
