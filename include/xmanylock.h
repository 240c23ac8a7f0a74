/*
 * xmanylock.h - one lock under one name, chosen by a macro: -DXM_LOCK_TICKET, TICKET16, DEC, BYTE, MCS, WRITE (of an rwlock), XEN,
 * PV_TICKET, KVM_TICKET, QUEUED or PV_QUEUED.
 *
 *  XM_ANY_LOCK(name)      at file scope: a lock
 *  XM_TAKE(name, self)    XM_GIVE(name, self): vCPU `self` takes and releases it; in a handler it is its second level of nesting
 *  XM_TAKE_2(name, self)  XM_GIVE_2(name, self)
 *
 * XM_LOCK_VCPUS: how many vCPUs there are (default 4).
 */
#ifndef XMANYLOCK_H
#define XMANYLOCK_H

#ifndef XM_LOCK_VCPUS
#define XM_LOCK_VCPUS 4
#endif
#ifndef XM_PV_VCPUS
#define XM_PV_VCPUS XM_LOCK_VCPUS
#endif
#define XM_QUEUED_VCPUS XM_LOCK_VCPUS
#define XM_QUEUED_NESTING 2
#include "xmqueued.h"

/* What a lock has per vCPU. */
static struct xm_pv_waiter xm_waiters[XM_PV_VCPUS] __attribute__((unused));

#if defined(XM_LOCK_TICKET)
#define XM_ANY_LOCK(name) static struct xm_ticket_lock name
#define XM_TAKE_(name, self, level) xm_ticket_lock(&name)
#define XM_GIVE_(name, self, level) xm_ticket_unlock(&name)
#elif defined(XM_LOCK_TICKET16)
#define XM_ANY_LOCK(name) static struct xm_ticket16_lock name
#define XM_TAKE_(name, self, level) xm_ticket16_lock(&name)
#define XM_GIVE_(name, self, level) xm_ticket16_unlock(&name)
#elif defined(XM_LOCK_DEC)
#define XM_ANY_LOCK(name) static struct xm_dec_lock name = XM_DEC_LOCK_INIT
#define XM_TAKE_(name, self, level) xm_dec_lock(&name)
#define XM_GIVE_(name, self, level) xm_dec_unlock(&name)
#elif defined(XM_LOCK_BYTE)
#define XM_ANY_LOCK(name) static volatile unsigned char name
#define XM_TAKE_(name, self, level) xm_byte_lock(&name)
#define XM_GIVE_(name, self, level) xm_byte_unlock(&name)
#elif defined(XM_LOCK_MCS)
#define XM_ANY_LOCK(name)                                                                                              \
	static struct xm_mcs_lock name;                                                                                \
	static struct xm_mcs_node XM_JOIN_(xm_nodes_of_, name)[XM_LOCK_VCPUS][2]
#define XM_TAKE_(name, self, level) xm_mcs_lock(&name, &XM_JOIN_(xm_nodes_of_, name)[self][level])
#define XM_GIVE_(name, self, level) xm_mcs_unlock(&name, &XM_JOIN_(xm_nodes_of_, name)[self][level])
#elif defined(XM_LOCK_WRITE)
#define XM_ANY_LOCK(name) static struct xm_rwlock name = XM_RWLOCK_INIT
#define XM_TAKE_(name, self, level) xm_write_lock(&name)
#define XM_GIVE_(name, self, level) xm_write_unlock(&name)
#elif defined(XM_LOCK_XEN)
#define XM_ANY_LOCK(name) static struct xm_xen_lock name
#define XM_TAKE_(name, self, level) xm_xen_lock(&name, &xm_waiters[self])
#define XM_GIVE_(name, self, level) xm_xen_unlock(&name, xm_waiters)
#elif defined(XM_LOCK_PV_TICKET)
#define XM_ANY_LOCK(name) static struct xm_pv_ticket_lock name
#define XM_TAKE_(name, self, level) xm_pv_ticket_lock(&name, &xm_waiters[self])
#define XM_GIVE_(name, self, level) xm_pv_ticket_unlock(&name, xm_waiters)
#elif defined(XM_LOCK_KVM_TICKET)
#define XM_ANY_LOCK(name) static struct xm_pv_ticket_lock name
#define XM_TAKE_(name, self, level) xm_kvm_ticket_lock(&name, &xm_waiters[self])
#define XM_GIVE_(name, self, level) xm_kvm_ticket_unlock(&name, xm_waiters)
#elif defined(XM_LOCK_QUEUED)
#define XM_ANY_LOCK(name) static struct xm_queued_lock name
#define XM_TAKE_(name, self, level) xm_queued_lock(&name, (unsigned int)(self))
#define XM_GIVE_(name, self, level) xm_queued_unlock(&name)
#elif defined(XM_LOCK_PV_QUEUED)
#define XM_ANY_LOCK(name) static struct xm_queued_lock name
#define XM_TAKE_(name, self, level) xm_pv_queued_lock(&name, (unsigned int)(self))
#define XM_GIVE_(name, self, level) xm_pv_queued_unlock(&name)
#else
#error "which lock? -DXM_LOCK_TICKET or another"
#endif

#define XM_TAKE(name, self) XM_TAKE_(name, self, 0)
#define XM_GIVE(name, self) XM_GIVE_(name, self, 0)
#define XM_TAKE_2(name, self) XM_TAKE_(name, self, 1)
#define XM_GIVE_2(name, self) XM_GIVE_(name, self, 1)

#endif /* XMANYLOCK_H */
