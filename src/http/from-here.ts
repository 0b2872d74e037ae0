// Is a request from the machine itself, and not merely from a proxy that runs on it?
import type { FastifyRequest } from 'fastify'
import { isLoopback } from './plugins/authentication.ts'

/** What proxies add. Whoever sends one of these himself only closes to himself what stands open on the machine. */
const PROXIED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via']

/** True if loopback was called by somebody on this machine, and no proxy stands in between, trusted or not (decision 39). */
export const isFromHere = ({ ip, headers }: Pick<FastifyRequest, 'ip' | 'headers'>): boolean =>
  isLoopback(ip) && PROXIED.every((name) => headers[name] === undefined)
