// The program as JavaScript, compiled once a run: a process that compiles it for itself takes a second of the processor more to start.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { alive } from './run.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Below node_modules, where the compiled program finds its packages. */
const cache = join(root, 'node_modules', '.cache', 'chancery')
const folderOf = (run: number): string => join(cache, `compiled-${run}`)

const compilerOptions: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023, rewriteRelativeImportExtensions: true, inlineSourceMap: true
}

const filesBelow = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))

/** Compiles what tests start as processes, and takes along what is not TypeScript. */
export const compileProgram = (run: number): void => {
  mkdirSync(cache, { recursive: true })
  for (const name of readdirSync(cache)) {
    const [, owner] = /^compiled-(\d+)$/.exec(name) ?? []
    if (owner !== undefined && !alive(Number(owner))) rmSync(join(cache, name), { recursive: true, force: true })
  }
  const out = folderOf(run)
  const files = ['src', 'infra', 'kits/lobby/src', 'kits/credentials/src', 'examples'].flatMap(filesBelow)
  for (const source of [...files, join(root, 'test/support/with-parent.ts')]) {
    const target = join(out, relative(root, source))
    mkdirSync(dirname(target), { recursive: true })
    if (!source.endsWith('.ts')) cpSync(source, target)
    else writeFileSync(target.replace(/\.ts$/, '.js'), ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions, fileName: source }).outputText)
  }
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }')
}

export const forgetCompiled = (run: number): void => { rmSync(folderOf(run), { recursive: true, force: true }) }

/**
 * Words for `node` that start a program of this repository (`src/main.ts`), which ends with the process that started it:
 * the compiled one within a run, its sources where a test file runs by itself.
 */
export const nodeArguments = (source: string): string[] => {
  const compiled = join(folderOf(process.ppid), source.replace(/\.ts$/, '.js'))
  return existsSync(compiled)
    ? ['--enable-source-maps', '--import', join(folderOf(process.ppid), 'test/support/with-parent.js'), compiled]
    : ['--import', import.meta.resolve('tsx'), '--import', join(root, 'test/support/with-parent.ts'), join(root, source)]
}

/** The same, compiled in any case: for programs that one test file starts very often. */
export const compiledArguments = (t: { teardown (end: () => void): unknown }, source: string): string[] => {
  const run = process.ppid
  if (!existsSync(folderOf(run))) {
    compileProgram(run)
    t.teardown(() => { forgetCompiled(run) })
  }
  return nodeArguments(source)
}
