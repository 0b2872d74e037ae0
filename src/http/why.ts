// Why an operator does something to an account: a word that stays readable, free text that is sealed for the account.
import type { FastifyRequest } from 'fastify'
import type { CommandContext } from '../commands/context.ts'
import { Clear } from '../domain/personal.ts'
import { commandContext } from './command-context.ts'

interface Why { reason_code: string, reason?: string, ticket?: string }

/** The context of a command about an account, with the caller as its actor. */
export const contextWithWhy = (request: FastifyRequest, userId: string, { reason_code: reasonCode, reason, ticket }: Why): CommandContext =>
  commandContext(request, {
    reasonCode, ...reason !== undefined && { reason: new Clear(reason, `user-${userId}`) }, ...ticket !== undefined && { ticket }
  })
