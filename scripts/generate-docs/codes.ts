// docs/reference/codes.md: the closed list of error codes.
import { codes } from '../../src/domain/codes.ts'
import { code, opening, table } from './markdown.ts'

export const codesPage = (): string => [
  opening('Error codes', 'src/domain/codes.ts',
    'Every refusal is an RFC 9457 body (`application/problem+json`) with `type`, `title`, `status`, `detail`, `code` and `trace_id`. ' +
    'Branch on `code`; `detail` says to a person what to do next.'),
  table(['code', 'status', 'title'], Object.entries(codes).map(([name, { status, title }]) => [code(name), String(status), title])),
  'After a 503 `audit_unavailable` certainly nothing was recorded. After a 503 `outcome_unknown` it may have been: repeat the request with the ' +
  '`Idempotency-Key` that the body names in `idempotency_key`, and the first answer comes, or the command runs now.\n'
].join('\n')
