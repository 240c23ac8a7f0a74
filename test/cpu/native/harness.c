#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "cases.h"
int main(){ unsigned char*p=mmap(0,4096,7,MAP_PRIVATE|MAP_ANONYMOUS,-1,0);
 printf("[");
 for(unsigned i=0;i<sizeof cs/sizeof*cs;i++){ memcpy(p,cs[i].b,cs[i].n); p[cs[i].n]=0xc3;
  unsigned a=cs[i].a,c=cs[i].c,d=cs[i].d,f=cs[i].f|2;
  __asm__ volatile("pushl %3\n popfl\n call *%%esi\n pushfl\n popl %3\n cld":"+a"(a),"+c"(c),"+d"(d),"+D"(f):"S"(p):"memory","cc");
  printf("%s[\"",i?",\n":""); for(unsigned k=0;k<cs[i].n;k++)printf("%02x",cs[i].b[k]);
  printf("\",%u,%u,%u,%u,%u,%u,%u,%u]",cs[i].a,cs[i].c,cs[i].d,cs[i].f,a,c,d,f&0x8d5);} printf("]\n"); }
