# Power on.
import hal
import lock

lock.Lock(hal.config()).run()
