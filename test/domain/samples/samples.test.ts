// Every version of every event that was ever recorded stays readable: samples of each are kept, and read here for ever.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import t from 'tap'
import { decode } from '../../../infra/eventstore/codec.ts'
import { catalogue, definitionOf } from '../../../src/domain/catalogue.ts'
import type { EventDefinition } from '../../../src/domain/event.ts'
import { sampleFile, type Sample } from './sample.ts'

const samplesIn = (file: string): Sample[] => JSON.parse(readFileSync(file, 'utf8')) as Sample[]

const read = (type: string, { stream, id, data, metadata }: Sample) => decode({
  stream, id, type, data: JSON.stringify(data), metadata: JSON.stringify(metadata),
  json: true, revision: 0n, position: 1n, created: new Date(0)
})

for (const definitions of Object.values<Record<string, EventDefinition>>(catalogue)) {
  for (const [type, { version: current }] of Object.entries(definitions)) {
    t.test(type, async (t) => {
      for (let version = 1; version <= current; version++) {
        const file = sampleFile(type, version)
        if (!existsSync(file)) {
          t.fail(`version ${version} has no sample: run "npm run samples" and commit what it writes`)
          continue
        }
        const samples = samplesIn(file)
        t.ok(samples.length > 0)
        for (const [i, sample] of samples.entries()) {
          t.equal((sample.metadata as { schemaVersion: number }).schemaVersion, version)
          const event = read(type, sample)
          if (version === current) t.same(event.data, sample.data, `version ${version}, sample ${i}`)
          // A fold that looks for a field must not meet another shape in what is old.
          t.throws(() => read(type, { ...sample, data: { ...(sample.data as object), surplus: 1 } }), /surplus/, 'and the schema is closed')
        }
      }
    })
  }
}

t.test('no event type was taken away', async (t) => {
  for (const file of readdirSync(dirname(sampleFile('x', 1)))) {
    const [, type = '', version = ''] = /^(.*)\.v(\d+)\.json$/.exec(basename(file)) ?? []
    const definition = definitionOf(type)
    t.ok(definition !== undefined && definition.version >= Number(version), `${file} was recorded once, so it has to stay readable`)
  }
})
