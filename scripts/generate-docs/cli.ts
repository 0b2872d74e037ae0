// docs/reference/cli.md: every verb of the command line with its help, and the exit codes.
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import { exitCodes } from '../../src/cli/failures.ts'
import { createProgram } from '../../src/cli/program.ts'
import { opening, table } from './markdown.ts'

/** The tree of verbs, to be looked at. */
export const program = (): Command => {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => { done() } })
  return createProgram({ stdout: nowhere, stderr: nowhere }, () => {})
}

export const cliPage = (): string => [
  opening('Command line', 'src/cli/', 'Called as `npm run chancery -- <verb>`. It is a client of the API: it can do what the token it is given may do. In a pipe, keep npm quiet: `npm run -s chancery -- replay`.'),
  '## Exit codes\n',
  table(['code', 'meaning'], Object.values(exitCodes).map(({ value, meaning }) => [String(value), meaning])),
  'Data goes to stdout, everything said about it to stderr. With `--json` each line of stdout is one JSON value, and a refusal is one JSON line on stderr. ' +
  'Bars are drawn only on a terminal.\n',
  ...verbs(program(), 'chancery').map(([name, help]) => `## ${name}\n\n\`\`\`text\n${help.trimEnd()}\n\`\`\`\n`)
].join('\n')

const verbs = (command: Command, name: string): Array<[string, string]> =>
  command.commands.flatMap((child) => {
    const path = `${name} ${child.name()}`
    return child.commands.length > 0 ? verbs(child, path) : [[path, child.helpInformation()] as [string, string]]
  })
