// D. Soft delete and tombstone.
import { es, sharedPb, streamsPb } from '../lib/client.mjs'
import { sleep, streamIdentifier } from '../lib/context.mjs'
import { appendResult, deleteResp, eventLine, fullEvent, wireRecordFull } from '../lib/shape.mjs'
import { pos } from '../lib/values.mjs'

const { NO_STREAM, ANY, STREAM_EXISTS } = es
const EXPECTATIONS = [ANY, NO_STREAM, 0n, 2n, 5n]

const seedFor = async (t, label, state) => {
  const stream = t.name(label)
  if (state === 'missing') return stream
  await t.client.appendToStream(stream, t.batch('e', 3), { expectedRevision: NO_STREAM })
  if (state === 'soft deleted') await t.client.deleteStream(stream)
  if (state === 'tombstoned') await t.client.tombstoneStream(stream)
  return stream
}
const STATES = ['missing', 'of 3 events', 'soft deleted', 'tombstoned']

const removal = (kind) => async (t) => {
  const remove = (stream, options) => t.client[kind === 'delete' ? 'deleteStream' : 'tombstoneStream'](stream, options)
  let n = 0
  for (const state of STATES) {
    // deleteStream of this client cannot express stream_exists; the raw steps below do
    const expectations = kind === 'delete' ? EXPECTATIONS : [...EXPECTATIONS, STREAM_EXISTS]
    for (const expectedRevision of expectations) {
      const stream = await seedFor(t, `s${n++}`, state)
      await t.step(`stream ${state}, expected ${expectedRevision}`, async () => {
        const { position } = await remove(stream, { expectedRevision })
        return { position: pos(position) }
      })
      await t.step('... read', () => t.revisions(stream))
    }
  }
  await t.step('no expectation given', async () => {
    const { position } = await remove(await seedFor(t, 'default', 'of 3 events'))
    return { position: pos(position) }
  })
}

async function wire (t) {
  const empty = () => new sharedPb.Empty()
  let n = 0
  for (const [method, Req] of [['delete', streamsPb.DeleteReq], ['tombstone', streamsPb.TombstoneReq]]) {
    for (const state of STATES) {
      for (const [title, set] of [
        ['any', (o) => o.setAny(empty())],
        ['no_stream', (o) => o.setNoStream(empty())],
        ['stream_exists', (o) => o.setStreamExists(empty())],
        ['revision 2', (o) => o.setRevision('2')],
        ['revision 5', (o) => o.setRevision('5')],
        ['nothing', () => {}],
      ]) {
        const stream = await seedFor(t, `w${n++}`, state)
        await t.step(`${method}, stream ${state}, expecting ${title}`, () => {
          const options = new Req.Options()
          options.setStreamIdentifier(streamIdentifier(stream))
          set(options)
          const request = new Req()
          request.setOptions(options)
          return new Promise((resolve, reject) =>
            t.raw[method](request, (error, resp) => (error ? reject(error) : resolve(deleteResp(resp))))
          )
        })
      }
    }
  }
}

async function trail (t) {
  const soft = await seedFor(t, 'soft', 'of 3 events')
  await t.step('soft delete: returned', async () => pos((await t.client.deleteStream(soft)).position))
  await t.step('soft delete: what $all holds', async () => (await t.readAllOwn()).map(eventLine))
  await t.step('soft delete: metastream in full', async () => (await t.readStream(`$$${soft}`)).map(fullEvent))
  const bytes = async (stream) => {
    const { items } = await t.rawRead({ stream: `$$${stream}` })
    return Buffer.from(wireRecordFull(items[0].getEvent().getEvent()).data).toString('utf8')
  }
  await t.step('soft delete: metastream data as text', () => bytes(soft))
  await t.step('append after it', async () =>
    appendResult(await t.revived(soft, await t.client.appendToStream(soft, t.batch('n', 2))))
  )
  await t.step('append after it: stream', async () => (await t.readStream(soft)).map(eventLine))
  await t.step('append after it: metastream', async () => (await t.readStream(`$$${soft}`)).map(fullEvent))
  await t.step('append after it: metastream data as text', () => bytes(soft))
  await t.step('second soft delete', async () => pos((await t.client.deleteStream(soft)).position))
  await t.step('second append', async () =>
    appendResult(await t.revived(soft, await t.client.appendToStream(soft, t.json('m'), { expectedRevision: NO_STREAM })))
  )
  await t.step('second append: stream', async () => (await t.readStream(soft)).map(eventLine))
  await t.step('what $all holds at last', async () => (await t.readAllOwn()).map(eventLine))

  const kept = await seedFor(t, 'kept', 'of 3 events')
  await t.client.setStreamMetadata(kept, { maxCount: 7, custom: 'kept?' })
  await t.client.deleteStream(kept)
  await t.step('soft delete of a stream with metadata: metastream', async () =>
    (await t.readStream(`$$${kept}`)).map(fullEvent)
  )
  await t.revived(kept, await t.client.appendToStream(kept, t.json('n')))
  await t.step('... and after an append', async () => (await t.readStream(`$$${kept}`)).map(fullEvent))

  const revived = await seedFor(t, 'revived', 'soft deleted')
  await t.step('soft deleted, then metadata set to nothing', async () =>
    appendResult(await t.client.setStreamMetadata(revived, {}))
  )
  await sleep(500) // the server may follow up on its own
  await t.step('... read', () => t.revisions(revived))
  await t.step('... metastream', async () => (await t.readStream(`$$${revived}`)).map(fullEvent))
  await t.step('... append', async () => appendResult(await t.client.appendToStream(revived, t.json('r'))))
  await t.step('... read again', () => t.revisions(revived))
}

async function tombstone (t) {
  const hard = await seedFor(t, 'hard', 'of 3 events')
  await t.client.setStreamMetadata(hard, { maxCount: 7 })
  await t.step('tombstone: returned', async () => pos((await t.client.tombstoneStream(hard)).position))
  await t.step('tombstone: what $all holds', async () => (await t.readAllOwn()).map(eventLine))
  await t.step('tombstone: its own event', async () =>
    (await t.readAllOwn()).filter(({ event }) => event.type === '$streamDeleted').map(fullEvent)
  )
  await t.step('append', async () => appendResult(await t.client.appendToStream(hard, t.json('n'))))
  await t.step('read', () => t.revisions(hard))
  await t.step('soft delete', async () => pos((await t.client.deleteStream(hard)).position))
  await t.step('tombstone again', async () => pos((await t.client.tombstoneStream(hard)).position))
  await t.step('get metadata', () => t.client.getStreamMetadata(hard))
  await t.step('set metadata', async () => appendResult(await t.client.setStreamMetadata(hard, { maxCount: 1 })))
  await t.step('metastream, raw', () => t.rawReadLines({ stream: `$$${hard}` }))
}

export const scenarios = [
  { name: 'delete: soft', run: removal('delete') },
  { name: 'delete: tombstone', run: removal('tombstone') },
  { name: 'delete: on the wire', run: wire },
  { name: 'delete: what a soft delete leaves', run: trail },
  { name: 'delete: what a tombstone leaves', run: tombstone },
]
