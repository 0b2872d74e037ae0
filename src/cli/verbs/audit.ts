// `chancery replay` and `chancery open-intents`: what the auditor takes away, and what still waits for its outcome.
import { Failure } from '../failures.ts'
import { jsonOption, minPositionOption, type Family, type Listing } from '../verb.ts'

interface Intent { type: string, stream: string, position: string, occurred_at: string, steps: number }

export const auditVerbs: Family = (program, bind) => {
  const replay = program.command('replay')
    .description('Writes the log as it was appended, one event a line (NDJSON); sealed values stay sealed.')
    .option('--stream <name>', 'one stream, for example tester-0190…')
  bind(replay, async ({ client, terminal }, options: { stream?: string }) => {
    const body = await client.stream('/api/v1/audit/replay', { query: { stream: options.stream } })
    let whole = true
    try {
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        await terminal.write(chunk)
        whole = chunk.at(-1) === NEWLINE
      }
    } catch {
      throw new Failure('unavailable', 'The replay broke off: what was written is not the whole log. Start it again.')
    }
    if (!whole) throw new Failure('unavailable', 'The last line is cut: what was written is not the whole log. Start it again.')
    return 'done'
  })

  const intents = program.command('open-intents')
    .description('Lists every intent in the log that has no outcome yet.')
    .addOption(minPositionOption()).addOption(jsonOption())
  bind(intents, async ({ client, terminal }, options: Listing) => {
    const rows: string[][] = []
    for await (const intent of client.pages<Intent>('/api/v1/audit/open-intents', {}, options.minPosition)) {
      if (options.json === true) terminal.json(intent)
      else rows.push([intent.occurred_at, intent.type, intent.stream, intent.position, String(intent.steps)])
    }
    if (options.json !== true) terminal.table(['SINCE', 'INTENT', 'STREAM', 'POSITION', 'STEPS'], rows)
    return 'done'
  })
}

const NEWLINE = 0x0a
