// docs/reference/events.md: every event type of the catalogue with its fields.
import { catalogue } from '../../src/domain/catalogue.ts'
import type { EventDefinition } from '../../src/domain/event.ts'
import { code, opening, table } from './markdown.ts'
import { describe, type Schema } from './schema.ts'

export const eventsPage = (): string => [
  opening('Events', 'src/domain/catalogue.ts',
    'Every event type that Chancery appends, by the category of its stream (`{category}-{id}`). Data is camelCase JSON; metadata and ' +
    'sealed fields are explained in [the write path](../explanation/write-path.md).'),
  table(['event type', 'stream', 'version', 'meaning'], Object.entries(catalogue).flatMap(([category, events]) =>
    Object.entries<EventDefinition>(events).map(([type, { version, meaning }]) => [`[${code(type)}](#${anchor(type)})`, code(`${category}-…`), String(version), meaning]))),
  ...Object.values(catalogue).flatMap((events) => Object.entries<EventDefinition>(events).map(section))
].join('\n')

/** GitHub's anchor of a heading: lower case, without dots. */
const anchor = (type: string): string => type.replaceAll('.', '')

const section = ([type, { schema, upcasters, meaning }]: [string, EventDefinition]): string => {
  const { properties = {}, required = [] } = schema as Schema
  const older = Object.keys(upcasters).map((version) => `version ${version}`)
  return [
    `## ${type}\n`,
    meaning + (older.length === 0 ? '' : ` Older forms are read through upcasters: ${older.join(', ')}.`) + '\n',
    table(['field', '', 'value'], Object.entries(properties).map(([name, field]) => [code(name), required.includes(name) ? '' : 'optional', describe(field)]))
  ].join('\n')
}
