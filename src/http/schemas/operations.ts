// What the operators' routes take and give.
import { Type } from '@sinclair/typebox'
import { closed, DecimalString } from './shared.ts'

const Name = () => Type.String({ pattern: '^[a-z][a-z0-9_]*$', maxLength: 63, description: 'Name of a read model' })
const Text = () => Type.String({ maxLength: 1000 })

export const ProjectionParams = Type.Object({ projection: Name() }, closed)
export const OperationParams = Type.Object({
  operation_id: Type.String({ pattern: '^[a-z][a-z0-9_]{0,62}\\.[1-9]\\d{0,8}$', maxLength: 73 })
}, closed)
export const OperationQuery = Type.Object({ projection: Type.Optional(Name()) }, closed)

const Alarm = Type.Object({
  reason: Type.String({ maxLength: 64 }), message: Text(), hint: Text(),
  stream: Type.Optional(Type.String({ maxLength: 256 })), revision: Type.Optional(DecimalString()),
  position: Type.Optional(DecimalString()), type: Type.Optional(Type.String({ maxLength: 128 }))
}, { ...closed, description: 'What stopped it: the event it names, never its data' })

export const ProjectionList = Type.Object({
  items: Type.Array(Type.Object({
    name: Name(),
    version: Type.Integer(),
    generation: Type.Integer(),
    status: Type.Union([Type.Literal('serving'), Type.Literal('filling'), Type.Literal('stopped'), Type.Literal('superseded')]),
    here: Type.String({ maxLength: 32, description: 'What this process does for it' }),
    position: DecimalString(),
    head: Type.Optional(DecimalString()),
    lag: Type.Union([Type.Integer(), Type.Literal('unknown')], { description: 'ms between the last event applied and the last of ours' }),
    alarm: Type.Optional(Alarm)
  }, closed), { maxItems: 100 })
}, closed)

const Count = () => Type.Integer({ minimum: 0 })

export const Operation = Type.Object({
  operation_id: Type.String({ maxLength: 73 }),
  projection: Name(),
  kind: Type.Union([Type.Literal('rebuild'), Type.Literal('verify')]),
  status: Type.Union([Type.Literal('running'), Type.Literal('done'), Type.Literal('aborted'), Type.Literal('failed')]),
  done: Type.Integer({ minimum: 0, description: 'How far it has read, in bytes of the log (a position)' }),
  total: Type.Integer({ minimum: 0, description: 'Where the log ends' }),
  differences: Type.Optional(Type.Integer({ minimum: 0, description: 'Rows that tell the read model from a second fold' })),
  result: Type.Optional(Type.Object({
    position: DecimalString(), rows: Count(), missing: Count(), unexpected: Count(), different: Count(),
    samples: Type.Array(Type.Object({
      table: Type.String({ maxLength: 63 }), kind: Type.String({ maxLength: 16 }), key: Type.String({ maxLength: 256 })
    }, closed), { maxItems: 20 })
  }, closed)),
  detail: Type.Optional(Text())
}, closed)
export const OperationList = Type.Object({ items: Type.Array(Operation, { maxItems: 2000 }) }, closed)
