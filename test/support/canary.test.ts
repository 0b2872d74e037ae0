// The canary scanner itself: it finds every planted form, at every place in a file, and nothing else.
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createScanner, formsOf, type Canary } from './canary.ts'

const person = { what: 'a person', text: 'canary."müller"/7@example.com' }
const secret = { what: 'a key', text: randomBytes(32) }
const CHUNK = 1 << 22
/** Neither text nor zeros: a zero before UTF-16 in the one order of bytes would make it UTF-16 in the other. */
const noise = (): Buffer => Buffer.from(randomBytes(100).map((byte) => byte | 0x80))

t.test('every form is found', async (t) => {
  for (const canary of [person, secret] as Canary[]) {
    for (const [form, bytes] of formsOf(canary.text)) {
      const scanner = createScanner([person, secret])
      scanner.bytes(Buffer.concat([noise(), bytes, noise()]), 'here')
      t.match(scanner.findings()[0], { what: canary.what, where: 'here', offset: 100 }, form)
    }
  }
  const written: Record<string, string> = {
    'base64 within other text': Buffer.from(`x${person.text}yz`).toString('base64'),
    'base64url within other text': Buffer.from(`xy${person.text}`).toString('base64url'),
    'a URL': `https://example.com/?email=${encodeURIComponent(person.text)}&x=1`,
    'a form': new URLSearchParams({ email: person.text }).toString(),
    JSON: JSON.stringify({ email: person.text }),
    'a dump of bytea': `\\x${Buffer.from(person.text).toString('hex')}`,
    'UTF-16': Buffer.from(person.text, 'utf16le').toString('latin1')
  }
  for (const [name, text] of Object.entries(written)) {
    const scanner = createScanner([person])
    scanner.bytes(Buffer.from(text, name === 'UTF-16' ? 'latin1' : 'utf8'), name)
    t.ok(scanner.findings().length > 0, name)
  }
})

t.test('files: at their beginning, end and between two reads; folders within folders; places where it may stand', async (t) => {
  const folder = t.testdir({ clean: { 'file.bin': 'nothing here' }, deep: { deeper: {} }, keys: {} })
  const places = [0, 1, CHUNK - 40, CHUNK - person.text.length, CHUNK - 1, CHUNK, 2 * CHUNK - 3]
  for (const at of places) {
    const bytes = Buffer.alloc(2 * CHUNK + 100)
    const path = join(folder, 'deep', 'deeper', `${at}.bin`)
    bytes.write(person.text, at)
    writeFileSync(path, bytes)
    const scanner = createScanner([person])
    scanner.file(path)
    t.match(scanner.findings(), [{ offset: at, where: path }], `at ${at}`)
    t.equal(scanner.read(), bytes.length)
  }
  writeFileSync(join(folder, 'keys', 'token'), secret.text)
  const scanner = createScanner([person, { ...secret, allowed: /keys\/token$/ }])
  scanner.folder(folder)
  scanner.folder(join(folder, 'nowhere'))
  t.equal(scanner.findings().length, places.length)
  t.notMatch(JSON.stringify(scanner.findings()), /müller/, 'a finding does not tell it on')
})

t.test('it finds nothing that is not there', async (t) => {
  const many = Array.from({ length: 3000 }, (_, i) => ({ what: `${i}`, text: randomBytes(32).toString('base64url') }))
  const scanner = createScanner(many)
  const bytes = randomBytes(50_000_000)
  const start = performance.now()
  scanner.bytes(bytes, 'noise')
  t.comment(`${Math.round(bytes.length / 1000 / (performance.now() - start))} MB/s with ${many.length} canaries`)
  t.strictSame(scanner.findings(), [])
  t.throws(() => createScanner([{ what: 'short', text: 'abc' }]), /too short/)
})
