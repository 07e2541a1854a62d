"""A comparison as a page for people: verdict first, then tables, pictures, sentences and method.

numbers.py, tables.py           figures as text; tables that HTML and Markdown share
picture.py, charts.py           a picture: rows, drawing, what it shows and cannot show
*_pictures.py                   the pictures, by what they are about
result_tables.py                the tables of results, systems and runs
sections.py                     the order of the page
drawing.py                      Vega-Lite to SVG, PNG, and to the page's own script
page.py, page.html, page.css, page.js    the page
markdown.py                     the summary
report.py                       all files
"""

from training.compare.report.report import write_report

__all__ = ["write_report"]
