// Why a publisher has stopped, as an operator reads it.
import type { LifecycleAlarm } from '../lifecycle-stream.ts'
import type { UnreadableEvent } from '../log-errors.ts'
import { EMPTY } from './place.ts'

export const foreignEntry = (stream: string, entryId: string): LifecycleAlarm => ({
  reason: 'foreign_entry',
  message: `The stream ${stream} ends with ${entryId === EMPTY ? 'nothing' : `entry ${entryId}`}, which this log did not make: somebody else wrote there, or the log is another one. Nothing is published.`,
  hint: 'Find out who has write access. If the log is the right one: chancery lifecycle epoch.'
})

export const unreadableEvent = (error: UnreadableEvent): LifecycleAlarm => ({
  reason: 'unreadable_event', message: error.message, hint: 'Run a version of the service that reads this event.'
})
