// `chancery rotations list|show|watch|transcript`: what a rotation is, is doing, and did.
import type { Command } from 'commander'
import { somebodyThere } from '../ask.ts'
import { createScreen } from '../board-screen.ts'
import { inWords } from '../board.ts'
import { followJob } from '../events.ts'
import { Failure } from '../failures.ts'
import { needsSomebody, nextCommands, wayOn } from '../next-steps.ts'
import { rotationPath, type TranscriptItem } from '../rotation-api.ts'
import { jsonOption, type Bind, type Json } from '../verb.ts'
import { findJob, listJobs, stillGoing } from './rotations-job.ts'

interface Which extends Json { rotation?: string }

export const lookVerbs = (rotations: Command, bind: Bind): void => {
  const list = rotations.command('list').argument('<credential>').description('Lists all rotations of a credential, the latest first.').addOption(jsonOption())
  bind(list, async ({ client, terminal }, credential: string, options: Json) => {
    const jobs = (await listJobs(client, credential)).sort((a, b) => a.opened_at < b.opened_at ? 1 : -1)
    if (options.json === true) for (const job of jobs) terminal.json(job)
    else if (jobs.length === 0) terminal.note(`${credential} was never rotated. Begin with: chancery rotate ${credential}`)
    else terminal.table(['ROTATION', 'STATE', 'MODE', 'OPENED BY', 'OPENED', 'ENDED'], jobs.map((job) => [job.rotation_id, job.state, job.mode, job.trigger, job.opened_at, job.ended_at ?? '-']))
    return 'done'
  })

  const show = which(rotations, 'show', 'Shows a rotation with all its consumers, what may be asked for now, and what an abort would mean. Exit code 5 if a stage came to nothing, or there is an alarm.')
  bind(show, async ({ client, terminal, surroundings }, credential: string, options: Which) => {
    const job = await findJob(client, credential, options.rotation)
    if (options.json === true) terminal.json(job)
    else {
      const screen = createScreen(surroundings)
      screen.all(job)
      screen.close()
      terminal.line()
      terminal.line(`transition ${job.transition}${job.abort_means === null ? '' : `; abort would mean: ${job.abort_means}`}`)
      const way = wayOn(job)
      if (way !== undefined) terminal.line(way)
      for (const command of nextCommands(job, { asks: somebodyThere(surroundings) })) terminal.line(`may be asked for: ${command}`)
    }
    return needsSomebody(job) ? 'findings' : 'done'
  })

  const watch = which(rotations, 'watch', 'Shows a rotation as it goes, until it is done or aborted. Ctrl-C ends the watching, not the rotation.')
  bind(watch, async ({ client, terminal, surroundings }, credential: string, options: Which) => {
    const job = await findJob(client, credential, options.rotation)
    const screen = options.json === true ? undefined : createScreen(surroundings)
    try {
      screen?.show(job)
      // Drawn is what is new; told as JSON is all of it.
      const after = screen === undefined ? {} : { after: job.revision }
      for await (const event of followJob(client, { credential, rotationId: job.rotation_id }, { ...after, signal: surroundings.signal, onConnection: (trouble) => { screen?.remark(trouble) } })) {
        if (screen === undefined) terminal.json(event)
        else screen.show(event.view)
      }
    } finally {
      screen?.close()
    }
    if (surroundings.signal.aborted) throw new Failure('refused', stillGoing(job))
    return 'done'
  })

  const transcript = which(rotations, 'transcript', 'Replays a rotation step by step: who did what and why, what the vendor and the consumers were asked, and what they answered, without secrets.')
  bind(transcript, async ({ client, terminal }, credential: string, options: Which) => {
    const { rotation_id: id } = await findJob(client, credential, options.rotation)
    for await (const item of client.pages<TranscriptItem>(rotationPath(credential, id, 'transcript'))) {
      if (options.json === true) {
        terminal.json(item)
        continue
      }
      terminal.line(`${item.at}  ${item.fact}  →  ${item.state}${consumersIn(item.data)}  (${item.actor.type === 'principal' ? item.actor.id : item.actor.type}${item.ticket === null ? '' : `, ticket ${item.ticket}`})`)
      if (item.reason !== null) terminal.line(`    because: ${item.reason}`)
      for (const exchange of item.exchanges) for (const text of inWords(exchange)) terminal.line(`    ${text}`)
    }
    return 'done'
  })
}

/** Whom a fact is about, and what came of it for each. */
const consumersIn = ({ consumer, deliveries, outcomes }: TranscriptItem['data']): string => {
  const about = consumer === undefined ? outcomes ?? deliveries ?? [] : [{ consumer }]
  return about.length === 0 ? '' : `: ${about.map(({ consumer: name, status, outcome }) => [name, status ?? outcome ?? ''].join(' ').trim()).join(', ')}`
}

const which = (rotations: Command, name: string, description: string): Command =>
  rotations.command(name).argument('<credential>').description(description).option('--rotation <id>', 'default: the open one, else the last').addOption(jsonOption())
