// docs/reference/configuration.md: every setting of the service and of the command line.
import { settingsSchema } from '../../src/config-schema.ts'
import { code, opening, table } from './markdown.ts'
import { describe, type Schema } from './schema.ts'

export const configurationPage = (): string => [
  opening('Configuration', 'src/config-schema.ts',
    'Settings are read from the environment and, below it, from a file `.env` in the working folder; [.env.example](../../.env.example) has them all. ' +
    'A wrong one, or a name that does not exist, stops the start with every mistake in one message.'),
  table(['setting', 'default', 'meaning', 'form'], Object.entries<Schema>(settingsSchema.properties).map(([name, schema]) =>
    [code(name), schema.default === undefined ? '' : code(String(schema.default as string | number)), schema.description ?? '', describe(schema)])),
  '## Command line and demo\n',
  table(['setting', 'default', 'meaning'], [
    ['`CHANCERY_URL`', 'loopback at `CHANCERY_HTTP_PORT`', 'Where the service is.'],
    ['`CHANCERY_TOKEN`', '`superadmin.token` in `CHANCERY_DATA_DIR`', 'The access token that requests are sent with.']
  ])
].join('\n')
