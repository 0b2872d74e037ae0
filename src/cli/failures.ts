// How a run of the command line fails: the exit code, and what the reader is told to do next.
import { whatToDo, type Problem } from './what-to-do.ts'

/** Exit codes; the reference page prints this table. */
export const exitCodes = {
  done: { value: 0, meaning: 'done' },
  refused: { value: 1, meaning: 'refused by the service, or failed; the message says what to do' },
  usage: { value: 2, meaning: 'the command line or a file given to it is wrong; nothing was sent' },
  unavailable: { value: 3, meaning: 'the service, or a store behind it, could not be reached: try again' },
  access: { value: 4, meaning: 'no token, or one without the right' },
  findings: { value: 5, meaning: 'done, and something needs a person: a difference, a part that is not ready, an item that was refused' }
} as const

export type Exit = keyof typeof exitCodes

/** Ends a run with a message and an exit code. */
export class Failure extends Error {
  readonly exit: Exit
  constructor (exit: Exit, message: string) {
    super(message)
    this.name = 'Failure'
    this.exit = exit
  }
}

/** The service's refusal of one request. */
export class ProblemFailure extends Failure {
  readonly problem: Problem
  /** @param path what was asked for, of which the hint takes the credential's name */
  constructor (problem: Problem, path = '') {
    const next = whatToDo(problem, path)
    super(exitOf(problem), [
      `${problem.code} (${problem.status}): ${problem.detail || problem.title}`,
      ...extras(problem),
      ...next === undefined ? [] : [`what to do: ${next}`],
      ...problem.trace_id === undefined ? [] : [`trace: ${problem.trace_id}`]
    ].join('\n'))
    this.name = 'ProblemFailure'
    this.problem = problem
  }
}

const exitOf = ({ status }: Problem): Exit => status === 401 || status === 403 ? 'access' : status === 503 || status === 429 ? 'unavailable' : 'refused'

/** The fields that a person reads on one line. Mistakes have a line each; those of a manifest are told by who knows its file. */
const extras = ({ code, fields }: Problem): string[] => Object.entries(fields).flatMap(([key, value]) => {
  if (key === 'errors' && Array.isArray(value)) return code === 'manifest_invalid' ? [] : mistakes(value)
  return [`  ${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`]
})

/** What is wrong, by where it stands in what was sent; rows of a file, which have lines instead, are told by who reads it. */
export const mistakes = (errors: unknown): string[] =>
  Array.isArray(errors) ? (errors as Array<{ path?: unknown, message?: string }>).flatMap(({ path, message }) => typeof path === 'string' ? [`  ${path === '' ? '/' : path} ${message ?? ''}`] : []) : []
