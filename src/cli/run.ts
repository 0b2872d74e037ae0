// One run of the command line: parse, act, and turn whatever happens into an exit code.
import { CommanderError, type Command } from 'commander'
import { createClient } from './client.ts'
import { exitCodes, Failure, ProblemFailure, type Exit } from './failures.ts'
import { createProgram } from './program.ts'
import { readSettings } from './settings.ts'
import { createTerminal, type Surroundings } from './terminal.ts'
import type { Action, Bind } from './verb.ts'

/** @param words the command line without `node` and the script; returns the exit code and prints everything else */
export const run = async (words: readonly string[], surroundings: Surroundings): Promise<number> => {
  const terminal = createTerminal(surroundings)
  let exit: Exit = 'done'
  const bind: Bind = <Input extends unknown[]>(command: Command, action: Action<Input>) => {
    command.action(async (...input: unknown[]) => {
      const settings = readSettings(surroundings)
      const tools = { settings, terminal, surroundings, client: createClient(settings, surroundings.signal) }
      exit = await action(tools, ...input as Input)
    })
  }
  const program = createProgram(surroundings, bind)
  try {
    await program.parseAsync(words, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage.value
    if (!(error instanceof Failure)) throw error
    if (words.includes('--json') && error instanceof ProblemFailure) terminal.note(JSON.stringify(error.problem))
    else terminal.note(error.message)
    exit = error.exit
  }
  return exitCodes[exit].value
}
