// C. Stream metadata.
import { es } from '../lib/client.mjs'
import { appendResult, eventLine, fullEvent } from '../lib/shape.mjs'
import { pos } from '../lib/values.mjs'

const { NO_STREAM, ANY, STREAM_EXISTS } = es

const shown = (result) => ({
  ...result,
  metastreamRevision: typeof result.metastreamRevision === 'bigint' ? pos(result.metastreamRevision) : result.metastreamRevision,
})

async function getAndSet (t) {
  const stream = t.name('s')
  const get = (title) => t.step(`get, ${title}`, async () => shown(await t.client.getStreamMetadata(stream)))
  await get('nothing there')
  await t.step('set on a stream that does not exist', async () =>
    appendResult(await t.client.setStreamMetadata(stream, { maxCount: 10, custom: { deep: [1] } }))
  )
  await get('metadata only')
  await t.step('append expecting no_stream', async () =>
    appendResult(await t.client.appendToStream(stream, t.json('e'), { expectedRevision: NO_STREAM }))
  )
  await t.step('set all known keys', async () =>
    appendResult(
      await t.client.setStreamMetadata(stream, {
        maxCount: 5,
        maxAge: 60,
        truncateBefore: 0,
        cacheControl: 30,
        acl: { readRoles: ['a'], writeRoles: ['b', 'c'], deleteRoles: ['$admins'], metaReadRoles: [], metaWriteRoles: ['$all'] },
        text: 'custom',
      })
    )
  )
  await get('all known keys')
  await t.step('set to nothing', async () => appendResult(await t.client.setStreamMetadata(stream, {})))
  await get('emptied')
  await t.step('the metastream', async () => (await t.readStream(`$$${stream}`)).map(fullEvent))
}

async function expectations (t) {
  for (const [title, sets] of [['no metadata yet', 0], ['set twice', 2]]) {
    for (const expectedRevision of [NO_STREAM, ANY, STREAM_EXISTS, 0n, 1n, 4n]) {
      const stream = t.name(`${sets}-${expectedRevision}`)
      for (let i = 0; i < sets; i++) await t.client.setStreamMetadata(stream, { n: i })
      await t.step(`${title}, expected ${expectedRevision}`, async () =>
        appendResult(await t.client.setStreamMetadata(stream, { maxCount: 1 }, { expectedRevision }))
      )
    }
  }
}

async function existence (t) {
  for (const expectedRevision of [NO_STREAM, ANY, STREAM_EXISTS, 0n]) {
    const stream = t.name(`${expectedRevision}`)
    await t.client.setStreamMetadata(stream, { maxCount: 1 })
    await t.step(`stream with metadata only, append expecting ${expectedRevision}`, async () =>
      appendResult(await t.client.appendToStream(stream, t.batch('e', 2), { expectedRevision }))
    )
    await t.step('... read', () => t.revisions(stream))
  }
}

async function metastream (t) {
  const stream = t.name('s')
  for (let n = 0; n < 3; n++) await t.client.setStreamMetadata(stream, { n })
  await t.step('a metastream keeps only its last event', async () => (await t.readStream(`$$${stream}`)).map(eventLine))
  await t.step('... backwards', async () =>
    (await t.readStream(`$$${stream}`, { direction: 'backwards', fromRevision: 'end' })).map(eventLine)
  )
  await t.step('... raw', () => t.rawReadLines({ stream: `$$${stream}` }))
  await t.step('... in $all', async () => (await t.readAllOwn()).map(eventLine))
  await t.step('delete of a metastream', async () => {
    const { position } = await t.client.deleteStream(`$$${stream}`)
    return pos(position)
  })
  await t.step('get after it', async () => shown(await t.client.getStreamMetadata(stream)))
  await t.step('tombstone of a metastream', async () => {
    const { position } = await t.client.tombstoneStream(`$$${stream}`)
    return pos(position)
  })
  await t.step('get after the tombstone', async () => shown(await t.client.getStreamMetadata(stream)))
  await t.step('set after the tombstone', async () => appendResult(await t.client.setStreamMetadata(stream, { n: 9 })))
  await t.step('metadata of a metastream', async () => shown(await t.client.getStreamMetadata(`$$${t.name('other')}`)))
}

async function acl (t) {
  const stream = t.name('s')
  await t.client.appendToStream(stream, t.json('e'))
  const nobody = ['nobody']
  await t.client.setStreamMetadata(stream, {
    acl: { readRoles: nobody, writeRoles: nobody, deleteRoles: nobody, metaReadRoles: nobody, metaWriteRoles: nobody },
  })
  await t.step('insecure server, acl names nobody: read', () => t.revisions(stream))
  await t.step('... append', async () => appendResult(await t.client.appendToStream(stream, t.json('e'))))
  await t.step('... get metadata', async () => shown(await t.client.getStreamMetadata(stream)))
  await t.step('... delete', async () => pos((await t.client.deleteStream(stream)).position))
}

export const scenarios = [
  { name: 'metadata: get and set', run: getAndSet },
  { name: 'metadata: expectations', run: expectations },
  { name: 'metadata: does it make a stream exist', run: existence },
  { name: 'metadata: the metastream', run: metastream },
  { name: 'metadata: acl on an insecure server', run: acl },
]
