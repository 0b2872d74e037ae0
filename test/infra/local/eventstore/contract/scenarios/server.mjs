// G. What the server tells about itself.
import { get } from 'node:http'
import { es, GossipClient, grpc, MonitoringClient, monitoringPb, ServerFeaturesClient, sharedPb, StreamsService } from '../lib/client.mjs'
import { appendLine, uuidShape, wireError } from '../lib/shape.mjs'

const address = (t) => `${t.target.host}:${t.target.port}`
const unary = (client, method) =>
  new Promise((resolve, reject) => {
    client[method](new sharedPb.Empty(), (error, resp) => {
      client.close()
      if (error) reject(error)
      else resolve(resp)
    })
  })

async function features (t) {
  const ask = async () => {
    const resp = await unary(new ServerFeaturesClient(address(t), grpc.credentials.createInsecure()), 'getSupportedMethods')
    const methods = resp
      .getMethodsList()
      .map((m) => `${m.getServiceName()}/${m.getMethodName()} [${m.getFeaturesList().join(' ')}]`)
      .sort()
    return { version: resp.getEventStoreServerVersion(), methods }
  }
  await t.step('announced methods of the streams service', async () => {
    const { version, methods } = await ask()
    return { version, methods: methods.filter((name) => name.includes('.streams.')) }
  })
  await t.step('exact: all announced methods', async () => (await ask()).methods)
  await t.step('the client finds', async () => {
    const capabilities = await t.client.capabilities
    return {
      version: capabilities.serverVersion,
      'batch append': await t.client.supports(StreamsService.batchAppend),
    }
  })
}

async function gossip (t) {
  await t.step('gossip read', async () => {
    const info = await unary(new GossipClient(address(t), grpc.credentials.createInsecure()), 'read')
    return info.getMembersList().map((member) => {
      const at = member.getHttpEndPoint()
      const id = uuidShape(member.getInstanceId())
      return {
        'instance id given as': Object.keys(id)[0],
        'time stamp': { digits: member.getTimeStamp().length, recentTicksSinceUnixEpoch: Math.abs(Number(member.getTimeStamp()) / 1e4 - Date.now()) < 3_600_000 },
        state: `${member.getState()}`,
        alive: member.getIsAlive(),
        'endpoint is ours': at.getAddress() === t.target.host && at.getPort() === t.target.port,
      }
    })
  })
  await t.step('client with esdb+discover', async () =>
    appendLine(await t.append('batch', t.name('s'), t.json('e'), es.NO_STREAM, t.newClient('', 'esdb+discover')))
  )
}

async function monitoring (t) {
  await t.step('exact: monitoring stats', async () => {
    const client = new MonitoringClient(address(t), grpc.credentials.createInsecure())
    const request = new monitoringPb.StatsReq()
    request.setUseMetadata(false)
    request.setRefreshTimePeriodInMs('100')
    const call = client.stats(request)
    const tape = t.tape(call, () => {
      call.cancel()
      client.close()
    })
    await tape.until((items) => items.length >= 1, 5000)
    const first = tape.items[0]
    const end = tape.end
    tape.stop()
    if (end instanceof Error) return { error: wireError(end) }
    return { exists: true, 'sends maps of text': typeof first !== 'string' && first.getStatsMap().getLength() > 0 }
  })
}

async function http (t) {
  for (const path of ['/health/live', '/info', '/gossip', '/ping', '/stats', '/streams/none', '/nonsense']) {
    await t.step(`exact: GET ${path}`, () =>
      new Promise((resolve, reject) => {
        get({ host: t.target.host, port: t.target.port, path, headers: { accept: 'application/json' } }, (res) => {
          res.resume()
          res.on('end', () => resolve({ status: res.statusCode, type: res.headers['content-type']?.split(';')[0] }))
        }).on('error', (error) => reject(new Error(error.code ?? 'failed')))
      })
    )
  }
}

export const scenarios = [
  { name: 'server: features', run: features },
  { name: 'server: gossip', run: gossip },
  { name: 'server: monitoring', run: monitoring },
  { name: 'server: http', run: http },
]
