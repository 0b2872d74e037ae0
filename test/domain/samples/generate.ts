// `npm run samples`: writes samples for each event type whose current version has none; never changes one.
// Until a version is in somebody's log, its file may be deleted and written anew; after that a change needs a new version.
import { existsSync, writeFileSync } from 'node:fs'
import { MetadataSchema } from '../../../infra/eventstore/metadata-schema.ts'
import { catalogue } from '../../../src/domain/catalogue.ts'
import type { EventDefinition } from '../../../src/domain/event.ts'
import { sampleFile, uuid, valueOf, variantsOf, type Sample } from './sample.ts'

const samplesOf = (category: string, type: string, { version, schema }: EventDefinition): Sample[] =>
  Array.from({ length: variantsOf(schema) }, (_, variant) => {
    const id = uuid(`${type}/${variant}`)
    const stream = category === 'roster' ? 'roster-superadmin' : `${category}-${uuid(category)}`
    const standing = { stream, id }
    const metadata = valueOf(MetadataSchema, 'metadata', variant, standing) as object
    return { stream, id, data: valueOf(schema, 'data', variant, standing), metadata: { ...metadata, schemaVersion: version } }
  })

for (const [category, definitions] of Object.entries<Record<string, EventDefinition>>(catalogue)) {
  for (const [type, definition] of Object.entries(definitions)) {
    const file = sampleFile(type, definition.version)
    if (existsSync(file)) continue
    writeFileSync(file, `${JSON.stringify(samplesOf(category, type, definition), null, 2)}\n`)
    process.stdout.write(`${file}\n`)
  }
}
