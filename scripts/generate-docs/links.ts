// Looks through all Markdown for what leads nowhere: files and headings that are linked, scripts and verbs that are named.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import type { Command } from 'commander'

export interface DeadEnds { root: string, scripts: ReadonlySet<string>, program: Command }

/** One line for each link, script or verb in README.md, the other pages of the root and docs/ that does not exist. */
export const deadEnds = ({ root, scripts, program }: DeadEnds): string[] => {
  const found: string[] = []
  for (const file of pages(root)) {
    const text = readFileSync(file, 'utf8')
    const tell = (what: string) => { found.push(`${relative(root, file)}: ${what}`) }
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) if (!leadsSomewhere(file, target)) tell(target)
    for (const [, script = ''] of text.matchAll(/npm run (?:-s |--silent )?([a-z]+(?::[a-z]+)*)/g)) if (!scripts.has(script)) tell(`npm run ${script}`)
    for (const [, words = ''] of text.matchAll(/npm run (?:-s |--silent )?chancery -- ([a-z -]+)/g)) {
      if (!isVerb(program, words.trim().split(' '))) tell(`chancery ${words}`)
    }
  }
  return found
}

const DECISIONS = 'docs/explanation/founding-decisions.md'

/** One line for each "decision n" in code or pages that the table of founding decisions does not have. */
export const unknownDecisions = (root: string): string[] => {
  const known = new Set([...readFileSync(join(root, DECISIONS), 'utf8').matchAll(/^\| (\d+) \|/gm)].map(([, number]) => number))
  const sources = ['src', 'infra', 'bench', 'test', 'scripts'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => join(root, folder, name)))
  return [...sources, ...pages(root)].flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/\bdecisions? (\d+(?:(?:, | and |–)\d+)*)/gi)].flatMap(([, numbers = '']) =>
      numbers.split(/, | and |–/).filter((number) => !known.has(number)).map((number) => `${relative(root, file)}: decision ${number} is not in ${DECISIONS}`)))
}

const pages = (root: string): string[] => [
  ...readdirSync(root), ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name))
].filter((name) => name.endsWith('.md')).map((name) => join(root, name))

const leadsSomewhere = (file: string, target: string): boolean => {
  if (/^[a-z]+:/.test(target)) return true
  const [path = '', heading] = target.split('#')
  const full = path === '' ? file : join(dirname(file), path)
  if (!existsSync(full)) return false
  return heading === undefined || !full.endsWith('.md') || headings(full).has(heading)
}

/** Anchors of a page as GitHub makes them. */
const headings = (file: string): Set<string> => new Set(
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replaceAll(/[^\p{L}\p{N}_ -]/gu, '').replaceAll(' ', '-')))

const isVerb = (program: Command, [word, ...rest]: readonly string[]): boolean => {
  if (program.commands.length === 0 || word === undefined || word.startsWith('-')) return true
  const child = program.commands.find((command) => command.name() === word)
  return child !== undefined && isVerb(child, rest)
}
