// The model of rotations: random operators, faults, crashes and time over the real commands and reactors; every counterexample found is kept.
import { randomInt } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { rotationEvents } from '../../src/domain/rotation/events.ts'
import { anyCase, type Case } from './rotation-steps.ts'
import { walk } from './rotation-run.ts'

/** As many cases as fit into this time, at least so many; `RUNS` asks for a number instead. */
const SECONDS = 25
const LEAST = 600
/** Rare facts need so many cases to come up. */
const MANY = 2_000
const runs = process.env['RUNS'] === undefined ? undefined : Number(process.env['RUNS'])
const seed = Number(process.env['FC_SEED'] ?? randomInt(2 ** 31))
const kept = new URL('rotation-counterexamples/', import.meta.url)

t.setTimeout(0)
// A refusal is an answer here, some thousands of times a second: nobody reads where it was made.
Error.stackTraceLimit = 0

t.test('every counterexample that was ever found', async (t) => {
  for (const file of readdirSync(kept).filter((name) => name.endsWith('.json')).sort()) {
    const { why, ...found } = JSON.parse(readFileSync(new URL(file, kept), 'utf8')) as Case & { why: string }
    await t.resolves(walk(found), `${file}: ${why}`)
  }
})

t.test(`random rotations, seed ${seed}`, async (t) => {
  const seen = new Set<string>()
  const began = performance.now()
  let walked = 0
  const enough = () => runs === undefined && walked >= LEAST && performance.now() - began > SECONDS * 1_000
  const property = fc.asyncProperty(anyCase, async (one) => {
    if (enough()) return
    const { checks } = await walk(one)
    walked++
    for (const type of checks.seen) seen.add(type)
  })
  const result = await fc.check(property, { seed, numRuns: runs ?? 100_000, ...runs === undefined && { interruptAfterTimeLimit: 120_000 } })
  if (result.failed) {
    t.fail(`seed ${seed}, run ${result.numRuns}: ${String((result.errorInstance as Error | null)?.message)}`, { case: JSON.stringify(result.counterexample?.[0]) })
    t.comment('Keep it as a file of rotation-counterexamples/, with a sentence `why`, and mend what it shows.')
    return
  }
  const took = (performance.now() - began) / 1_000
  t.comment(`${walked} cases in ${took.toFixed(1)} s`)
  t.ok(walked >= Math.min(runs ?? LEAST, LEAST), `${walked} cases, and no rule was broken`)
  if (walked < MANY) t.comment(`too few to say that every fact came up: that takes ${MANY}`)
  else t.strictSame(Object.keys(rotationEvents).filter((type) => !seen.has(type) && !type.startsWith('rotation.owner_mail_')), [], 'every fact of a rotation came up, but those of the mail to its owner')
})
