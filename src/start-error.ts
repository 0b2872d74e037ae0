// A reason not to start that its reader can act upon: told without a stack trace, exit code 1.

/** What is wrong in one sentence, and the ways out, one a line. Neither holds a secret. */
export class StartError extends Error {
  readonly waysOut: readonly string[]

  constructor (problem: string, waysOut: readonly string[] = [], options?: ErrorOptions) {
    super(problem, options)
    this.name = 'StartError'
    this.waysOut = waysOut
  }
}

/** The text for the terminal: the problem, then the ways out as a list. */
export const explain = (error: StartError): string =>
  [error.message, ...error.waysOut.map((way) => `  - ${way}`)].join('\n')
