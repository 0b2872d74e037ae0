// What can be a ticket at all, whether or not a ticket system is asked for it.
import { refuse } from './codes.ts'

/** As tickets are written: `4711`, `#4711`, `OPS-17`, `sec/2026.4`. */
const FORM = /^(?=.{1,64}$)#?[A-Za-z0-9][A-Za-z0-9._/-]*$/

export const TICKET_FORM = 'A ticket is letters, digits, dots, dashes and slashes without spaces, at most 64, with at least one digit: for example 4711 or OPS-17.'

export const isTicket = (ticket: string): boolean => FORM.test(ticket) && /\d/.test(ticket)

/** Refuses with `ticket_invalid` what cannot be one. */
export const requireTicketForm = (ticket: string): void => {
  if (!isTicket(ticket)) refuse('ticket_invalid', TICKET_FORM)
}
