// Asks the person at the terminal for what the command line did not say; in a pipe, that is an error.
import type { Readable, Writable } from 'node:stream'
import { confirm, isCancel, password, text } from '@clack/prompts'
import { Failure } from './failures.ts'
import type { Surroundings } from './terminal.ts'

type Asked = Pick<Surroundings, 'stdin' | 'stderr'>

const isTerminal = (stream: (Readable | Writable) & { isTTY?: boolean }): boolean => stream.isTTY === true

/** True if somebody sits there to answer. Questions are drawn on stderr: stdout is for data. */
export const somebodyThere = ({ stdin, stderr }: Asked): boolean => isTerminal(stdin) && isTerminal(stderr)

/** The reason as given, or asked for. Throws Failure `usage` if there is nobody to ask. */
export const reasonFor = async (given: string | undefined, what: string, { stdin, stderr }: Asked): Promise<string> => {
  if (given !== undefined) return given
  if (!somebodyThere({ stdin, stderr })) throw new Failure('usage', `${what} needs --reason "…".`)
  return answered(await text({
    message: `Why? (${what}; kept sealed in the log)`, input: stdin, output: stderr,
    validate: (answer) => (answer ?? '').trim() === '' ? 'A reason is needed.' : undefined
  }))
}

/** What the person types, asked again while `wrong` says something. Throws Failure `usage` with `otherwise` if there is nobody to ask. */
export const answerTo = async (question: string, otherwise: string, { stdin, stderr }: Asked, wrong: (answer: string) => string | undefined = needed): Promise<string> => {
  if (!somebodyThere({ stdin, stderr })) throw new Failure('usage', otherwise)
  return answered(await text({ message: question, input: stdin, output: stderr, validate: (answer) => wrong(answer ?? '') }))
}

/** What the person types, shown as dots. Throws Failure `usage` with `otherwise` if there is nobody to ask. */
export const hiddenAnswerTo = async (question: string, otherwise: string, { stdin, stderr }: Asked): Promise<string> => {
  if (!somebodyThere({ stdin, stderr })) throw new Failure('usage', otherwise)
  return answered(await password({ message: question, input: stdin, output: stderr }))
}

/** Asks before something big; in a pipe the command line itself was the answer. */
export const sure = async (question: string, { stdin, stderr }: Asked): Promise<boolean> =>
  !somebodyThere({ stdin, stderr }) || answered(await confirm({ message: question, input: stdin, output: stderr, initialValue: false }))

const needed = (answer: string): string | undefined => answer.trim() === '' ? 'This is needed.' : undefined

const answered = <T>(answer: T): Exclude<T, symbol> => {
  if (isCancel(answer)) throw new Failure('refused', 'Stopped; nothing was sent.')
  return answer as Exclude<T, symbol>
}
