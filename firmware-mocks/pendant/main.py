# Power on; a reset is the power cut of a test: everything but the flash is forgotten, and nobody says goodbye.
import hal
import pendant

while pendant.Pendant(hal.config()).run() == "reset":
    pass
