// Secrets in the forms in which requests carry them and answers repeat them: none of them is left, and nothing else is taken.
import fc from 'fast-check'
import t from 'tap'
import { bodyOf, headersOf, requestHeadersOf, targetOf } from '../../../infra/outgoing/exchange.ts'
import { createScrub } from '../../../infra/outgoing/scrub.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'

const seed = Number(process.env['FC_SEED'] ?? Date.now() % 2 ** 31)
t.comment(`seed ${seed}`)

type Form = (text: string) => string
const percent: Form = (text) => encodeURIComponent(text)
const json: Form = (text) => JSON.stringify(text).slice(1, -1)
const unicode: Form = (text) => [...text].flatMap((character) => character.split('')).map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
const forms: Record<string, Form> = {
  plain: (text) => text,
  percent,
  'percent, all and in lower case': (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  'percent twice': (text) => percent(percent(text)),
  form: (text) => new URLSearchParams({ a: text }).toString().slice(2),
  'a URL\'s own': (text) => new URL(`http://a/?q=${text.trim().replace(/[#&\n\t]/g, percent)}`).search,
  json,
  'json in json': (text) => json(json(text)),
  'json in a query': (text) => percent(json(text)),
  'unicode escapes': unicode,
  'slashes escaped as PHP does': (text) => json(text).replaceAll('/', '\\/'),
  entities: (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
  'entities by number': (text) => [...text].map((character) => `&#x${(character.codePointAt(0) ?? 0).toString(16)};`).join(''),
  base64: (text) => Buffer.from(text).toString('base64'),
  base64url: (text) => Buffer.from(text).toString('base64url'),
  'Basic, with a user': (text) => Buffer.from(`somebody:${text}`).toString('base64'),
  'Basic, with another': (text) => Buffer.from(`ab:${text}`).toString('base64'),
  'Basic, as the user': (text) => Buffer.from(`${text}:`).toString('base64'),
  'base64 in a query': (text) => percent(Buffer.from(`x:${text}`).toString('base64')),
  hex: (text) => Buffer.from(text).toString('hex'),
  HEX: (text) => Buffer.from(text).toString('hex').toUpperCase()
}

/** Long enough to be one, of everything that a password may hold; no NUL, which no store takes. */
const secret = fc.string({ unit: fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...'abcXYZ019+/%\\"\'&<>#?=:;@ _-.~$\n\té') }, { weight: 1, arbitrary: fc.constantFrom('€', '𐍈', '%41', '\\n', '&amp;', '+') }), minLength: 12, maxLength: 60 })
  .map((text) => text.trim()).filter((text) => text.length >= 12)

t.test('no form of a secret is left', async (t) => {
  fc.assert(fc.property(secret, fc.constantFrom(...Object.keys(forms)), fc.constantFrom('', 'a=', '{"key": "', ' '), fc.constantFrom('', '&b=1', '"}', ' '), (text, name, before, after) => {
    const form = forms[name]?.(text) ?? ''
    const scrubbed = createScrub([new Secret(text)])(`${before}${form}${after}`)
    // One placeholder, and around it at most what stood around it; base64 takes what of its neighbours shares a digit.
    return scrubbed.includes('[secret]') && !scrubbed.includes(form) && scrubbed.length <= before.length + after.length + '[secret]'.length + 24
  }), { seed, numRuns: 3_000, examples: [['a+b%41c d/e\\f"g', 'json in a query', '', ''], ['"quoted" & \\escaped/ +', 'json in json', '', '']] })
})

t.test('nothing else is taken', async (t) => {
  const scrub = createScrub([new Secret('the-secret-value'), new Secret('another+one/here=')])
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => scrub(text) === text), { seed, numRuns: 1_000 })
  t.equal(createScrub([])('all'), 'all')
  t.equal(createScrub([new Secret('')])('all'), 'all')
  t.equal(scrub('a the-secret-value b another+one/here= c'), 'a [secret] b [secret] c')
  t.equal(createScrub([new Secret('abc'), new Secret('abcdef')])('abcdef abc'), '[secret] [secret]', 'of two the longer one, whole')
  t.equal(createScrub([new Secret('abcd'), new Secret('cdef')])('abcdef'), '[secret]', 'two that overlap')
  t.equal(scrub('%E0%A4%A the-secret%2dvalue %ff%fe'), '%E0%A4%A [secret] %ff%fe', 'beside bytes that are no text')
})

t.test('bounds, and no secret across a cut', async (t) => {
  const text = 'the-secret-value'
  const scrub = createScrub([new Secret(text)])
  for (let before = 0; before < 40; before++) {
    const body = `${'x'.repeat(before)}${text.repeat(2_000)}`
    const shown = bodyOf(body, scrub, 4_096)
    t.ok(shown.length <= 4_096 && !/the-s|value/.test(shown), `moved by ${before}`)
  }
  // What is put in the place of a long one is short: the cut itself comes into sight.
  const long = 'long-secret.'.repeat(30)
  for (let before = 0; before < 40; before++) t.notMatch(bodyOf(`${'x'.repeat(before)}${long.repeat(100)}`, createScrub([new Secret(long)]), 4_096), /secret\./, `a long one, moved by ${before}`)
  const begun = performance.now()
  const nasty = '%25%2525\\\\u0041&amp;'.repeat(3_000)
  t.ok(bodyOf(nasty, scrub, 4_096).length <= 4_096)
  t.ok(performance.now() - begun < 2_000, 'an answer does not cost what it likes')
  t.match(bodyOf('y'.repeat(10_000), createScrub([]), 100), /^y+ … \(10000 characters\)$/)
  t.equal(bodyOf('a\0b\ud800c', scrub, 100), 'a\ufffdb\ufffdc', 'characters that Postgres does not take')
  t.notOk(/\p{Surrogate}/u.test(bodyOf('𐍈'.repeat(5_000), scrub, 4_095)), 'a pair is not torn')
  t.ok(Object.entries(headersOf(Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-${at}`, 'y'.repeat(1_000)])), scrub)).flat().join('').length <= 2_048)
  t.same(requestHeadersOf({ Authorization: 'Bearer a b', 'Proxy-Authorization': 'lonely', Cookie: 'x=y; z', Accept: '*/*' }).shown,
    { authorization: 'Bearer [secret]', 'proxy-authorization': '[secret]', cookie: '[secret]', accept: '*/*' })
  t.equal(targetOf(new URL('https://a.example/b/the-secret%2Dvalue?c=1#the-secret-value'), '', scrub), 'https://a.example/b/[secret]?c=1')
  t.equal(targetOf(undefined, 'https://me:pass@w@a.example/b', scrub), 'https://[secret]@a.example/b')
})
