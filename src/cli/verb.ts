// What every verb of the command line is made of: its place in the tree, its options, and what it is handed when it runs.
import { Option, type Command } from 'commander'
import type { Client } from './client.ts'
import type { Exit } from './failures.ts'
import type { Settings } from './settings.ts'
import type { Surroundings, Terminal } from './terminal.ts'

/** What a verb works with. */
export interface Tools {
  client: Client
  settings: Settings
  terminal: Terminal
  surroundings: Surroundings
}

/** Does what a verb says; `input` is what the command line gave: arguments, then options. */
export type Action<Input extends unknown[]> = (tools: Tools, ...input: Input) => Promise<Exit>

/** Gives a command its action: `tools` are made when it runs, the returned exit code is that of the run. */
export type Bind = <Input extends unknown[]>(command: Command, action: Action<Input>) => void

/** Adds a family of verbs to the program. */
export type Family = (program: Command, bind: Bind) => void

export const jsonOption = () => new Option('--json', 'one JSON value a line, for pipes')

/** Asked for at a terminal if it is left out; see `reasonFor`. */
export const reasonOption = () => new Option('--reason <text>', 'why; kept sealed in the log')

export const ticketOption = () => new Option('--ticket <id>', 'ticket that asked for it; kept in clear')

export const keyOption = () => new Option('--key <idempotency-key>', 'repeats a request: the same key gets the first answer again')

/** A list comes from a read model, which may be milliseconds behind: scripts hand it the position of what they did. */
export const minPositionOption = () => new Option('--min-position <position>', 'show at least what was done up to this position (a command\'s --json names it)')

export interface Json { json?: boolean }

export interface Listing extends Json { minPosition?: string }
