// Takes the value of a credential from a hidden prompt, a file or standard input: never from the command line, which others can read.
import { readFile, stat } from 'node:fs/promises'
import { text as whole } from 'node:stream/consumers'
import { Option } from 'commander'
import { hiddenAnswerTo } from '../ask.ts'
import { Failure } from '../failures.ts'
import type { Tools } from '../verb.ts'

export const valueFileOption = (more = '') => new Option('--value-file <file>', `file that holds the value, - for standard input; without it you are asked, and nothing is shown${more}`)

const NOT_HERE = 'The value is asked for at a terminal only. Give it by --value-file <file>, or --value-file - and a pipe.'

/** Why a file that was named could not be read. */
export const unread = (file: string, error: unknown): string => {
  const { code } = error as NodeJS.ErrnoException
  return `${file} cannot be read: ${code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it is not yours to read' : code ?? String(error)}.`
}

/** The value without the line's end that editors and `echo` leave. Throws Failure `usage` if there is none, with `otherwise` if there is nobody to ask. */
export const readValue = async (file: string | undefined, question: string, { surroundings, terminal }: Tools, otherwise = NOT_HERE): Promise<string> => {
  const text = file === undefined
    ? await hiddenAnswerTo(question, otherwise, surroundings)
    : file === '-' ? await whole(surroundings.stdin) : await readText(file, terminal)
  const value = text.replace(/\r?\n$/, '')
  if (value === '') throw new Failure('usage', 'The value is empty; nothing was sent.')
  if (/[\r\n]/.test(value)) throw new Failure('usage', 'The value has more than one line; nothing was sent.')
  return value
}

const readText = async (file: string, terminal: Tools['terminal']): Promise<string> => {
  try {
    if (((await stat(file)).mode & 0o077) !== 0) terminal.note(`Others on this machine may read ${file}: chmod 600 it, or remove it when this is done.`)
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Failure('usage', unread(file, error))
  }
}
