// The program and its tests as JavaScript, compiled once a run: a process that compiles them for itself takes a second of the processor more to start.
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { alive } from './run.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** Below node_modules, where the compiled program finds its packages. */
const cache = join(root, 'node_modules', '.cache', 'chancery')
/** test/support/loader.mjs looks for it there, too. */
const folderOf = (run: number): string => join(cache, `compiled-${run}`)

/** Each file stays a module of its own, and imports the compiled ones. */
const eachByItself: Plugin = {
  name: 'each-by-itself',
  setup (build) {
    build.onResolve({ filter: /^\./ }, ({ kind, path }) => kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true })
  }
}

const filesBelow = (folder: string): string[] => readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => join(folder, entry.parentPath.slice(join(root, folder).length), entry.name))

/** Compiles the tests and what they start as processes, and takes along what is not TypeScript. */
export const compileProgram = async (run: number): Promise<void> => {
  mkdirSync(cache, { recursive: true })
  // A Redis that was fetched first keeps it to itself, and tests start the program as another user.
  chmodSync(cache, 0o755)
  for (const name of readdirSync(cache)) {
    const [, owner] = /^compiled-(\d+)$/.exec(name) ?? []
    if (owner !== undefined && !alive(Number(owner))) rmSync(join(cache, name), { recursive: true, force: true })
  }
  const out = folderOf(run)
  const files = ['src', 'infra', 'kits/lobby/src', 'kits/credentials/src', 'examples', 'test'].flatMap(filesBelow)
  const { outputFiles } = await build({
    entryPoints: files.filter((file) => file.endsWith('.ts')), absWorkingDir: root, outbase: root, outdir: out, write: false,
    bundle: true, plugins: [eachByItself], packages: 'external', treeShaking: false, format: 'esm', platform: 'node', target: 'node20.20',
    sourcemap: 'external', sourcesContent: false, logLevel: 'warning'
  })
  const maps = new Map(outputFiles.map(({ path, text }) => [path, text]))
  for (const { path, text } of outputFiles) {
    const map = maps.get(`${path}.map`)
    if (map === undefined) continue
    // Told as what it is, whether it is run from here or in its source's name.
    const sources = [pathToFileURL(join(root, path.slice(out.length).replace(/\.js$/, '.ts'))).href]
    const inline = Buffer.from(JSON.stringify({ ...JSON.parse(map) as object, sources })).toString('base64')
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, `${text}//# sourceMappingURL=data:application/json;base64,${inline}\n`)
  }
  for (const file of files.filter((file) => !file.endsWith('.ts'))) cpSync(join(root, file), join(out, file))
  // Written last: where it is, all is there.
  writeFileSync(join(out, 'package.json'), '{ "type": "module" }')
}

export const forgetCompiled = (run: number): void => { rmSync(folderOf(run), { recursive: true, force: true }) }

const isCompiled = (): boolean => existsSync(join(folderOf(process.ppid), 'package.json'))
const path = (source: string): string => isCompiled() ? join(folderOf(process.ppid), source.replace(/\.ts$/, '.js')) : join(root, source)
const loading = (): string[] => isCompiled() ? ['--enable-source-maps'] : ['--import', import.meta.resolve('tsx')]

/** Words for `node` that start a program of this repository (`src/main.ts`): the compiled one within a run, its sources where a test file runs by itself. */
export const lastingArguments = (source: string): string[] => [...loading(), path(source)]

/** The same for a program that ends with the process that started it. */
export const nodeArguments = (source: string): string[] => [...loading(), '--import', path('test/support/with-parent.ts'), path(source)]

/** The same, compiled in any case: for programs that one test file starts very often. */
export const compiledArguments = async (t: { teardown (end: () => void): unknown }, source: string): Promise<string[]> => {
  const run = process.ppid
  if (!isCompiled()) {
    await compileProgram(run)
    t.teardown(() => { forgetCompiled(run) })
  }
  return nodeArguments(source)
}
