/** `xmcheck list`: knobs with their defaults, rungs, monitors, CPU classes. */
import type { Command } from 'commander'
import { CPU_CLASSES } from '../cpu/classes.ts'
import { KNOBS, PROFILES, rungLegend, RUNGS } from '../smp/model.ts'
import { MONITORS } from '../explore/monitors/index.ts'
import { addOutputFlags, paragraph, type OutputFlags } from './common.ts'

export function addList(program: Command): void {
  addOutputFlags(program.command('list').description('knobs with their defaults, fetch rungs, CPU classes, monitors')).action(list)
}

function list(flags: OutputFlags): void {
  const profiles = Object.entries(PROFILES).map(([name, profile]) => ({ name, ...profile }))
  const knobs = KNOBS.map((row) => ({ name: row.name, default: row.fallback, doc: row.doc }))
  if (flags.json) {
    const document = { version: 1, command: 'list', knobs, rungs: RUNGS, cpus: Object.keys(CPU_CLASSES), profiles, monitors: MONITORS, scenarios: ['relink'] }
    process.stdout.write(`${JSON.stringify(document)}\n`)
    return
  }
  const out = (text: string, indent = 2) => process.stdout.write(`${paragraph(text, indent)}\n`)
  out('knobs (--set NAME=VALUE)')
  for (const knob of knobs) out(`  ${knob.name.padEnd(18)}${String(knob.default).padEnd(12)}${knob.doc}`, 32)
  out(`fetch rungs, strongest first (--fetch RUNG): the bytes of one executed instruction are\n  ${RUNGS.join(' ')}`)
  for (const line of rungLegend(RUNGS)) out(`  ${line}`, 18)
  out(`CPU classes\n  ${Object.keys(CPU_CLASSES).join(' ')}`)
  out('profiles (--profile NAME)')
  for (const profile of profiles) {
    const settings = Object.entries(profile.knobs).map(([name, value]) => `${name}=${value}`).join(' ')
    out(`  ${profile.name.padEnd(14)}${settings.padEnd(46)}${profile.doc}`, 16)
  }
  out('monitors')
  for (const monitor of MONITORS) out(`  ${monitor.name.padEnd(18)}${monitor.doc}`, 20)
  out('scenarios\n  relink')
}
