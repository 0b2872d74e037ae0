// Hooks of the module loader: a test is its compiled text in its own name, so that it finds what lies beside it; what it tests is the compiled program.
import { readFile } from 'node:fs/promises'

const root = new URL('../../', import.meta.url).href
const tests = new URL('..', import.meta.url).href
let compiled = ''

export const initialize = (data) => { compiled = data.compiled }

const isTest = (url) => url.startsWith(tests) && url.endsWith('.ts')
const compiledOf = (url) => `${compiled}${url.slice(root.length).replace(/\.ts$/, '.js')}`

/** Of what the compiler has named `.js`; data lies where it lay. */
export const resolve = async (specifier, context, next) => {
  if (!/^\..*\.js$/.test(specifier) || !isTest(context.parentURL ?? '')) return next(specifier, context)
  const url = new URL(specifier, context.parentURL).href.replace(/\.js$/, '.ts')
  return { url: isTest(url) ? url : compiledOf(url), format: 'module', shortCircuit: true }
}

export const load = async (url, context, next) =>
  isTest(url) ? { format: 'module', source: await readFile(new URL(compiledOf(url))), shortCircuit: true } : next(url, context)
