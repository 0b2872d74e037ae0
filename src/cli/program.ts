// The tree of verbs: what `chancery --help` shows and the reference page prints.
import { Command } from 'commander'
import type { Surroundings } from './terminal.ts'
import type { Bind } from './verb.ts'
import { accessVerbs } from './verbs/access.ts'
import { accountVerbs } from './verbs/accounts.ts'
import { auditVerbs } from './verbs/audit.ts'
import { consumerVerbs } from './verbs/consumers.ts'
import { credentialVerbs } from './verbs/credentials.ts'
import { dataFolderVerbs } from './verbs/data-folder.ts'
import { ghostVerbs } from './verbs/ghosts.ts'
import { importVerb } from './verbs/import.ts'
import { lifecycleVerbs } from './verbs/lifecycle.ts'
import { projectionVerbs } from './verbs/projections.ts'
import { rotateVerb } from './verbs/rotate.ts'
import { rotationVerbs } from './verbs/rotations.ts'
import { statusVerb } from './verbs/status.ts'
import { testerVerbs } from './verbs/testers.ts'

const families = [statusVerb, projectionVerbs, testerVerbs, ghostVerbs, importVerb, accountVerbs, consumerVerbs, lifecycleVerbs, credentialVerbs, rotateVerb, rotationVerbs, auditVerbs, accessVerbs, dataFolderVerbs]

/** @param bind gives each verb its action; the generated reference passes one that does nothing */
export const createProgram = ({ stdout, stderr }: Pick<Surroundings, 'stdout' | 'stderr'>, bind: Bind): Command => {
  const program = new Command('chancery')
    .description("Chancery's command line: a client of the API.")
    .addHelpText('after', '\nCHANCERY_URL (default http://127.0.0.1:8420) says where the service is; CHANCERY_TOKEN who asks\n(default: superadmin.token in CHANCERY_DATA_DIR, ./data).')
    .configureOutput({
      writeOut: (text) => { stdout.write(text) },
      writeErr: (text) => { stderr.write(text) },
      // A fixed width: help is also a page of the reference, which must not depend on who generates it.
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false
    })
    .showHelpAfterError('(add --help to see how it is called)')
    .exitOverride()
  for (const family of families) family(program, bind)
  inherit(program)
  return program
}

/** Settings of the root for commands that were made with `addCommand` or `command`: neither copies all of them. */
const inherit = (parent: Command): void => {
  for (const child of parent.commands) {
    child.copyInheritedSettings(parent)
    inherit(child)
  }
}
