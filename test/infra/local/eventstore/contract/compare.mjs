// node compare.mjs EXPECTED.json ACTUAL.json [--only TEXT] [--skip TEXT]... [--except FILE] [--no-exact] [--ignore-messages] [--max N]
// --except: a JSON array of { "scenario", "step", "reason" }: deliberate differences, each named and explained
import { readFileSync } from 'node:fs'

const args = process.argv.slice(2)
const take = (flag, withValue) => {
  const at = args.indexOf(flag)
  if (at < 0) return undefined
  const removed = args.splice(at, withValue ? 2 : 1)
  return withValue ? removed[1] : true
}
const only = take('--only', true)
const skip = []
for (let text = take('--skip', true); text !== undefined; text = take('--skip', true)) skip.push(text)
const exceptFile = take('--except', true)
const except = new Set()
for (const { scenario, step, reason } of exceptFile ? JSON.parse(readFileSync(exceptFile, 'utf8')) : []) {
  if (!scenario || !step || !reason) throw new Error('every exception names its scenario, step and reason')
  except.add(`${scenario} / ${step}`)
}
const noExact = take('--no-exact', false)
const ignoreMessages = take('--ignore-messages', false)
const max = Number(take('--max', true) ?? 20)
if (args.length !== 2) {
  console.error('usage: node compare.mjs EXPECTED.json ACTUAL.json [--only TEXT] [--skip TEXT]... [--except FILE] [--no-exact] [--ignore-messages] [--max N]')
  process.exit(2)
}
const [expected, actual] = args.map((file) => JSON.parse(readFileSync(file, 'utf8')))

// Free text for people; everything else is what programs act upon.
const MESSAGE_KEYS = new Set(['message', 'details'])
const isText = (key, a, b) => MESSAGE_KEYS.has(key) && typeof a !== 'object' && typeof b !== 'object'
const show = (value) => (value === undefined ? '(absent)' : JSON.stringify(value))
const isObject = (value) => value !== null && typeof value === 'object'

function diff (path, a, b, out) {
  if (isObject(a) && isObject(b) && Array.isArray(a) === Array.isArray(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      if (ignoreMessages && isText(key, a[key], b[key])) continue
      diff(Array.isArray(a) ? `${path}[${key}]` : `${path}.${key}`, a[key], b[key], out)
    }
  } else if (JSON.stringify(a) !== JSON.stringify(b)) {
    out.push(`  ${path}\n    - ${show(a)}\n    + ${show(b)}`)
  }
}

const byStep = (steps) => {
  const map = new Map()
  for (const { step, ...rest } of steps) {
    if (noExact && step.startsWith('exact: ')) continue
    let key = step
    for (let n = 2; map.has(key); n++) key = `${step} #${n}`
    map.set(key, rest)
  }
  return map
}

let differing = 0
let excepted = 0
const names = new Set([...Object.keys(expected.scenarios), ...Object.keys(actual.scenarios)])
for (const name of names) {
  if (only && !name.includes(only)) continue
  if (skip.some((text) => name.includes(text))) continue
  const out = []
  const [a, b] = [expected.scenarios[name], actual.scenarios[name]]
  if (!a || !b) out.push(`  scenario only in ${a ? 'EXPECTED' : 'ACTUAL'}`)
  else {
    const [left, right] = [byStep(a), byStep(b)]
    for (const step of new Set([...left.keys(), ...right.keys()])) {
      if (!except.delete(`${name} / ${step}`)) diff(`"${step}"`, left.get(step), right.get(step), out)
      else excepted += 1
    }
  }
  if (out.length === 0) continue
  differing += 1
  console.log(`${name}: ${out.length} difference(s)`)
  console.log(out.slice(0, max).join('\n'))
  if (out.length > max) console.log(`  ... and ${out.length - max} more`)
}
if (expected.client !== actual.client) console.log(`note: recorded with clients ${expected.client} and ${actual.client}`)
if (!only && skip.length === 0) for (const stale of except) console.log(`exception for a step that does not exist: ${stale}`)
console.log((differing === 0 ? 'equal' : `${differing} scenario(s) differ`) + (excepted ? `, ${excepted} step(s) excepted` : ''))
process.exit(differing === 0 ? 0 : 1)
