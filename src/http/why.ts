// Why an operator does something to an account or a tester: a word that stays readable, free text that is sealed for them.
import type { FastifyRequest } from 'fastify'
import type { CommandContext } from '../commands/context.ts'
import { Clear } from '../domain/personal.ts'
import { requireTicketForm } from '../domain/ticket.ts'
import { commandContext } from './command-context.ts'

/** As the request's body has it; which parts it has to have, its schema says. */
export interface Why { reason_code?: string, reason?: string, ticket?: string }

/**
 * The context of a command, with the caller as its actor.
 * @param subject whose key seals the text, so that it goes with the person: `user-…`, `tester-…`
 */
export const contextWithWhy = (request: FastifyRequest, subject: string, { reason_code: reasonCode, reason, ticket }: Why): CommandContext =>
  commandContext(request, {
    ...reasonCode !== undefined && { reasonCode }, ...reason !== undefined && { reason: new Clear(reason, subject) }, ...ticket !== undefined && { ticket }
  })

/** What was typed as a ticket is at least the form of one; refuses with `ticket_invalid`, also where nobody looks it up. */
export const ticketIn = ({ ticket }: Why): void => {
  if (ticket !== undefined) requireTicketForm(ticket)
}
