import pathlib, numpy as np
def test_show(make_replica, make_run):
  from memae_jax.evaluation import report
  from memae_jax.data import types
  import time
  out=pathlib.Path('/tmp/pages'); out.mkdir(exist_ok=True)
  runs={}
  made=[make_replica('memae','table',0,s,50) for s in range(2)]
  cols=tuple(types.Column(n) for n in 'duration src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins logged_in num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count a b c d e f g h'.split())+(types.Column('protocol_type',('a',)*3),types.Column('service',('a',)*66),types.Column('flag',('b',)*11))
  D=sum(max(1,len(c.categories)) for c in cols)
  rng=np.random.default_rng(0)
  dec=rng.random((50,D))*np.r_[np.ones(20)*1e5,np.zeros(18),np.ones(D-38)]
  made=[(m._replace(decoded_slots=dec),a,b) for m,a,b in made]
  run=make_run(made,'kdd wide','kddcup99'); run['source_columns']=cols
  run['results']['memory']['memae']['dead_read_rate']=0.95
  runs['wide']=run
  runs['sweep']=make_run([make_replica('memae','image',c,s,n) for n in (10,20,50,200) for c in (0,8) for s in (0,1)],'slots sweep')
  for k,run in runs.items():
    t=time.time(); page=report.render(**run); (out/f'{k}.html').write_text(page)
    print(k,len(page)/1e6,time.time()-t)
