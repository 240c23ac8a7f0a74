/** `xmcheck list`: knobs with their defaults, rungs, monitors, CPU classes. */
import type { Command } from 'commander'
import { CPU_CLASSES } from '../cpu/classes.ts'
import { KNOBS, RUNGS } from '../smp/model.ts'
import { addOutputFlags, type OutputFlags } from './common.ts'

export function addList(program: Command): void {
  addOutputFlags(program.command('list').description('knobs with their defaults, fetch rungs, CPU classes, monitors')).action(list)
}

const MONITORS = ['patch-site', 'mutual-exclusion']

function list(flags: OutputFlags): void {
  const knobs = KNOBS.map((row) => ({ name: row.name, default: row.fallback, doc: row.doc }))
  if (flags.json) {
    const document = { version: 1, command: 'list', knobs, rungs: RUNGS, cpus: Object.keys(CPU_CLASSES), monitors: MONITORS, scenarios: ['relink'] }
    process.stdout.write(`${JSON.stringify(document)}\n`)
    return
  }
  const out = (text: string) => process.stdout.write(`${text}\n`)
  out('knobs (--set NAME=VALUE)')
  for (const knob of knobs) out(`  ${knob.name.padEnd(18)}${String(knob.default).padEnd(12)}${knob.doc}`)
  out(`fetch rungs, strongest first\n  ${RUNGS.join(' ')}`)
  out(`CPU classes\n  ${Object.keys(CPU_CLASSES).join(' ')}`)
  out(`monitors\n  ${MONITORS.join(' ')}`)
  out('scenarios\n  relink')
}
