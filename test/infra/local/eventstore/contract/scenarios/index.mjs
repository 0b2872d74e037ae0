import { scenarios as append } from './append.mjs'
import { scenarios as deletes } from './delete.mjs'
import { scenarios as metadata } from './metadata.mjs'
import { scenarios as read } from './read.mjs'
import { scenarios as server } from './server.mjs'
import { scenarios as subscribeAll } from './subscribe-all.mjs'
import { scenarios as subscribeStream } from './subscribe-stream.mjs'
import { scenarios as wire } from './wire.mjs'

// What writes much comes last, so that the others do not have to read over it.
const heavy = (scenario) => /sizes|slow reader/.test(scenario.name)
const all = [...server, ...read, ...metadata, ...deletes, ...append, ...wire, ...subscribeStream, ...subscribeAll]

const early = (scenario) => scenario.name === 'subscribe all: from start'

const rank = (scenario) => (early(scenario) ? 0 : heavy(scenario) ? 2 : 1)
export const scenarios = all.map((s, i) => [rank(s), i, s]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, , s]) => s)
