// Which addresses requests may reach, in every form in which one can be written: by the whole way out, and by names that say different things.
import { createServer } from 'node:net'
import type { AddressInfo, LookupFunction } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { createGuard, reached } from '../../../infra/outgoing/guard.ts'
import { createOutgoing, type OutgoingOptions } from '../../../infra/outgoing/index.ts'
import { StartError } from '../../../src/start-error.ts'

/** Forbidden with nothing allowed: [as it stands in the URL, the failure if it is not `address_forbidden`]. */
const forbidden: ReadonlyArray<readonly [string, string?]> = [
  // IPv4: this machine, private, link-local with the clouds' metadata, shared, and what is no host at all
  ['127.0.0.1'], ['127.255.255.254'], ['127.1'], ['10.0.0.1'], ['10.255.255.255'], ['172.16.0.1'], ['172.31.255.255'], ['192.168.0.1'], ['192.168.255.255'],
  ['169.254.169.254'], ['169.254.0.1'], ['100.64.0.1'], ['100.127.255.255'], ['168.63.129.16'], ['192.0.0.1'], ['192.0.0.192'], ['192.0.2.1'], ['192.88.99.1'],
  ['198.18.0.1'], ['198.19.255.255'], ['198.51.100.1'], ['203.0.113.1'], ['0.0.0.0'], ['0.1.2.3'], ['224.0.0.1'], ['239.255.255.255'], ['240.0.0.1'], ['255.255.255.255'],
  // the same in other figures: one number, octal, hexadecimal, mixed, short, with the trailing dot, full-width, circled, percent-encoded
  ['2130706433'], ['017700000001'], ['0x7f000001'], ['0x7f.0.0.1'], ['0177.0.0.1'], ['0x7f.1'], ['127.0.1'], ['0'], ['127.0.0.1.'], ['2852039166'], ['0xa9fea9fe'],
  ['１２７.０.０.１'], ['①②⑦.0.0.1'], ['127。0。0。1'], ['%31%32%37.0.0.1'], ['0xA.0.0.1'],
  // IPv6: this machine, none, link-local, unique local, site-local, multicast, documentation, discard
  ['[::1]'], ['[0:0:0:0:0:0:0:1]'], ['[::]'], ['[fe80::1]'], ['[febf::1]'], ['[fc00::1]'], ['[fd00:ec2::254]'], ['[fec0::1]'], ['[ff02::1]'], ['[2001:db8::1]'], ['[3fff::1]'], ['[100::1]'],
  ['[5f00::1]'], ['[4000::1]'], ['[3ffe::1]'], ['[2001:2::1]'], ['[2001:10::1]'], ['[2001:20::1]'],
  // IPv4 within IPv6: mapped, in dots and in hexadecimal, compatible, translated, NAT64 well-known and local, 6to4, Teredo
  ['[::ffff:127.0.0.1]'], ['[::ffff:7f00:1]'], ['[::ffff:10.0.0.1]'], ['[::ffff:169.254.169.254]'], ['[0:0:0:0:0:ffff:a00:1]'], ['[::127.0.0.1]'], ['[::7f00:1]'], ['[::8.8.8.8]'],
  ['[::ffff:0:127.0.0.1]'], ['[64:ff9b::127.0.0.1]'], ['[64:ff9b::a00:1]'], ['[64:ff9b::1]'], ['[64:ff9b:1::8.8.8.8]'], ['[2002:7f00:1::]'], ['[2002:808:808::1]'], ['[2001::1]'], ['[2001:0:4136:e378:8000:63bf:3fff:fdd2]'],
  // what is no host, or smuggles another one in
  ['[fe80::1%25eth0]', 'url_invalid'], ['[::1%lo]', 'url_invalid'], ['256.256.256.256', 'url_invalid'], ['127.0.0.1.1', 'url_invalid'], ['0x100000000', 'url_invalid'], ['[::ffff:127.0.0.256]', 'url_invalid'],
  ['8.8.8.8@127.0.0.1', 'credentials_in_url'], ['user:word@8.8.8.8', 'credentials_in_url'], ['127.0.0.1#@8.8.8.8'], ['127.0.0.1?@8.8.8.8'], ['127.0.0.1\\@8.8.8.8'],
  ['', 'url_invalid'], [' 127.0.0.1 ', 'url_invalid']
]

/** Public ones, which the guard lets through: never connected to here. */
const open = [
  '8.8.8.8', '1.1.1.1', '9.255.255.255', '11.0.0.0', '172.15.255.255', '172.32.0.0', '100.63.255.255', '100.128.0.0', '169.253.255.255', '192.167.255.255', '223.255.255.255',
  '2606:4700::1111', '2a00:1450:4001:80b::200e', '2001:4860:4860::8888', '::ffff:8.8.8.8', '64:ff9b::808:808'
]

/** A look-up that says what it is told, and counts. */
const names = (table: Record<string, ReadonlyArray<readonly string[]>>) => {
  const asked: string[] = []
  const lookup = ((host: string, _options: object, done: (error: NodeJS.ErrnoException | null, addresses: Array<{ address: string, family: number }>) => void) => {
    const answers = table[host]
    const times = asked.filter((name) => name === host).length
    asked.push(host)
    const found = answers?.[Math.min(times, answers.length - 1)]
    if (found === undefined) return done(Object.assign(new Error('not found'), { code: 'ENOTFOUND' }), [])
    done(null, found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })))
  }) as unknown as LookupFunction
  return { lookup, asked }
}

const failureOf = async (url: string, options: Partial<OutgoingOptions> = {}) => {
  const outgoing = createOutgoing({ allow: [], plainLoopback: false, timeoutMs: 1_000, ...options })
  const { exchange, sent } = await outgoing.request({ method: 'GET', url, secrets: [], probe: 'test' })
  await outgoing.close()
  return [exchange.failure, sent]
}

t.test('nothing is sent to an address that is not public, however it is written', async (t) => {
  t.ok(forbidden.length >= 60, `${forbidden.length} forms`)
  for (const [host, failure = 'address_forbidden'] of forbidden) t.same(await failureOf(`https://${host}/`), [failure, false], host)
  const guard = createGuard({ allow: [], plainLoopback: false })
  for (const address of open) t.equal(guard.judge(address, { host: address, protocol: 'https:' }), undefined, address)
  for (const address of ['fe80::1%eth0', '::1%1', 'no address', '']) t.equal(guard.judge(address, { host: 'a', protocol: 'https:' }), 'address_forbidden', address)
  t.same(['::ffff:1.2.3.4', '64:ff9b::1.2.3.4', '64:ff9b::3', '::FFFF:7f00:1', '1.2.3.4', '2606:4700:0::1'].map(reached), ['1.2.3.4', '1.2.3.4', '0.0.0.3', '127.0.0.1', '1.2.3.4', '2606:4700::1'])
})

t.test('https only, and plain http only on this machine where a setting says so', async (t) => {
  const plain = { plainLoopback: true }
  for (const [url, options, failure] of [
    ['http://127.0.0.1/', {}, 'scheme_forbidden'], ['http://8.8.8.8/', {}, 'scheme_forbidden'], ['http://8.8.8.8/', plain, 'scheme_forbidden'], ['http://10.0.0.1/', plain, 'scheme_forbidden'],
    ['http://[::ffff:10.0.0.1]/', { ...plain, allow: ['10.0.0.0/8'] }, 'scheme_forbidden'], ['https://10.0.0.1/', plain, 'address_forbidden'], ['http://public.example/', plain, 'scheme_forbidden'],
    ['ftp://127.0.0.1/', plain, 'scheme_forbidden'], ['file:///etc/passwd', plain, 'scheme_forbidden'], ['data:,x', plain, 'scheme_forbidden'], ['nonsense', plain, 'url_invalid']
  ] as const) t.same(await failureOf(url, { ...options, ...names({ 'public.example': [['8.8.8.8']] }) }), [failure, false], url)
})

t.test('a name is judged by every address that it has at the moment of connecting', async (t) => {
  const server = createServer((socket) => { socket.end('HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n') }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  let connections = 0
  server.on('connection', () => { connections++ })
  const { port } = server.address() as AddressInfo
  const { lookup, asked } = names({
    'inner.example': [['127.0.0.1']], 'mixed.example': [['8.8.8.8', '10.0.0.1']], 'mapped.example': [['::ffff:127.0.0.1']], 'zone.example': [['fe80::1%lo']], 'empty.example': [[]],
    'rebinding.example': [['127.0.0.1'], ['10.0.0.1']]
  })
  for (const [host, failure] of [
    ['inner.example', 'address_forbidden'], ['inner.example.', 'address_forbidden'], ['INNER.example', 'address_forbidden'], ['mixed.example', 'address_forbidden'], ['mapped.example', 'address_forbidden'],
    ['zone.example', 'address_forbidden'], ['empty.example', 'name_unknown'], ['unknown.example', 'name_unknown']
  ] as const) t.same(await failureOf(`https://${host}:${port}/`, { lookup }), [failure, false], host)
  t.equal(connections, 0)

  // What is judged is what is connected to: a name that says something else the second time is not asked a second time.
  const plain = { plainLoopback: true, lookup }
  t.same(await failureOf(`http://rebinding.example:${port}/`, plain), [undefined, true])
  t.equal(asked.filter((name) => name === 'rebinding.example').length, 1)
  t.same(await failureOf(`http://rebinding.example:${port}/`, plain), ['scheme_forbidden', false], 'and judged anew for the next connection')
  t.same(await failureOf(`http://mapped.example:${port}/`, plain), [undefined, true], 'the mapped form of this machine is this machine')
  t.equal(connections, 2)
})

t.test('a setting opens private addresses by CIDR, address or host', async (t) => {
  const judge = (allow: string[], address: string, host = address) => createGuard({ allow, plainLoopback: false }).judge(address, { host, protocol: 'https:' })
  for (const [allow, address, host, failure] of [
    [['10.20.0.0/16'], '10.20.3.4', undefined, undefined], [['10.20.0.0/16'], '10.21.0.1', undefined, 'address_forbidden'], [['10.20.0.0/16'], '::ffff:10.20.0.1', undefined, undefined],
    [['10.1.2.3'], '10.1.2.3', undefined, undefined], [['10.1.2.3'], '10.1.2.4', undefined, 'address_forbidden'], [['fd00::/8'], 'fd12::1', undefined, undefined], [['[fd00::1]'], 'fd00::1', undefined, undefined],
    [['Vault.Internal.'], '10.9.9.9', 'vault.internal', undefined], [['vault.internal'], '10.9.9.9', 'VAULT.internal.', undefined], [['vault.internal'], '10.9.9.9', 'evil-vault.internal', 'address_forbidden'],
    [['vault.internal'], '10.9.9.9', 'vault.internal.example', 'address_forbidden'], [['127.0.0.0/8'], '127.0.0.1', undefined, undefined]
  ] as const) t.equal(judge([...allow], address, host), failure, `${allow.join()} and ${host ?? address}`)
  for (const entry of ['10.0.0.0/33', '10.0.0', '300.1.1.1', 'fd00::/129', 'a b', 'http://x', '10.0.0.0/x', '*.internal']) {
    t.throws(() => createGuard({ allow: [entry], plainLoopback: false }), StartError, entry)
  }
  const outgoing = createOutgoing({ allow: ['10.0.0.0/8'], plainLoopback: true })
  t.same(['https://10.1.1.1/x', 'https://192.168.1.1/', 'http://example.com', 'https://example.com/', 'http://127.0.0.1:1/', 'https://a:b@example.com/', 'x'].map((url) => outgoing.problem(url)),
    [undefined, 'address_forbidden', undefined, undefined, undefined, 'credentials_in_url', 'url_invalid'])
  await outgoing.close()
})
